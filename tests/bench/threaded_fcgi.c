/*  threaded_fcgi.c - a worker in the obvious style, for comparison: libfcgi's own loop, one
 *  thread for each client, one SUB socket for each client, one write and flush for each message.
 *
 *  threaded_fcgi FASTCGI-SOCKET-PATH ZEROMQ-ENDPOINT THREADS */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

static int s_listener;
static const char *s_endpoint;
static void *s_context;

static void s_serve (FCGX_Request *request)
{
    const char *query = FCGX_GetParam ("QUERY_STRING", request->envp);
    const char *topic = query ? strstr (query, "topic=") : NULL;
    void *socket = zmq_socket (s_context, ZMQ_SUB);
    int linger = 0;
    zmq_setsockopt (socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt (socket, ZMQ_SUBSCRIBE, topic ? topic + 6 : "",
                    topic ? strcspn (topic + 6, "&") : 0);
    zmq_connect (socket, s_endpoint);
    FCGX_PutS ("Content-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n\r\n: hello\n\n",
               request->out);
    bool alive = FCGX_FFlush (request->out) == 0;
    while (alive) {
        char name[1025], payload[65536];
        int name_len = zmq_recv (socket, name, sizeof name, 0);
        int len = name_len >= 0 ? zmq_recv (socket, payload, sizeof payload, 0) : -1;
        if (len < 0)
            break;
        int more;
        size_t size = sizeof more;
        while (zmq_getsockopt (socket, ZMQ_RCVMORE, &more, &size) == 0 && more)
            zmq_recv (socket, name, sizeof name, 0);
        FCGX_PutS ("data: ", request->out);
        FCGX_PutStr (payload, len < (int)sizeof payload ? len : (int)sizeof payload, request->out);
        FCGX_PutS ("\n\n", request->out);
        alive = FCGX_FFlush (request->out) == 0;
    }
    zmq_close (socket);
}

static void *s_thread (void *arg)
{
    (void)arg;
    FCGX_Request request;
    FCGX_InitRequest (&request, s_listener, 0);
    while (FCGX_Accept_r (&request) == 0) {
        s_serve (&request);
        FCGX_Finish_r (&request);
    }
    return NULL;
}

int main (int argc, char **argv)
{
    if (argc != 4) {
        fprintf (stderr, "usage: threaded_fcgi SOCKET ENDPOINT THREADS\n");
        return 2;
    }
    FCGX_Init ();
    s_listener = FCGX_OpenSocket (argv[1], 4096);
    s_endpoint = argv[2];
    s_context = zmq_ctx_new ();
    zmq_ctx_set (s_context, ZMQ_MAX_SOCKETS, 20000);
    pthread_attr_t attributes;
    pthread_attr_init (&attributes);
    pthread_attr_setstacksize (&attributes, 256 * 1024);
    pthread_t thread;
    for (int i = atoi (argv[3]); i > 1; i--)
        if (pthread_create (&thread, &attributes, s_thread, NULL) != 0)
            return 1;
    s_thread (NULL);
    return 0;
}
