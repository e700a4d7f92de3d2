/*  doctor_advice.c - see doctor_advice.h. The lines are those of the samples in etc/: the tests
 * break a sample by one line, and look whether the advice is that line. */
#include "tools/doctor_advice.h"

#include <string.h>
#include <strings.h>

typedef struct {
    const char *hint;
    const char *lines[ZC_WEB_SERVERS];
} s_advice_t;

#define S_NGINX [ZC_WEB_NGINX]
#define S_LIGHTTPD [ZC_WEB_LIGHTTPD]
#define S_APACHE [ZC_WEB_APACHE]
#define S_CADDY [ZC_WEB_CADDY]
#define S_HAPROXY [ZC_WEB_HAPROXY]
#define S_ZCAST [ZC_WEB_ZCAST]

/* clang-format off */
static const s_advice_t s_advices[ZC_ADVICES] = {
    [ZC_ADVICE_NONE] = {0},
    [ZC_ADVICE_LISTEN] = {"is the web server running (systemctl status), does it listen there (ss -ltn), "
                          "and does a firewall let it be reached?", {0}},
    [ZC_ADVICE_REDIRECT] = {"look at \1 instead, and let pages use that URL: WebSocket and POST follow no "
                            "redirect", {0}},
    [ZC_ADVICE_PATH] = {NULL, {
        S_NGINX = "include snippets/zcast.conf;  (in the server { } of this name: location = /events)",
        S_LIGHTTPD = "include \"zcast/zcast.conf\"  ($HTTP[\"url\"] == \"/events\")",
        S_APACHE = "Include conf-available/zcast.conf  (a2enconf zcast: <Location \"/events\">)",
        S_CADDY = "import zcast/zcast.caddy  (in the block of the site)",
        S_HAPROXY = "use_backend zcast_events if { path /events }"}},
    [ZC_ADVICE_WORKER] = {"systemctl status zcast-broker zcast-fcgi zcast-ws; does the web server look where "
                          "the worker listens?", {
        S_NGINX = "upstream zcast_sse { server unix:/run/zcast/sse.sock; }  (proxy_pass: upstream zcast_ws)",
        S_LIGHTTPD = "\"socket\" => \"/run/zcast/sse.sock\",",
        S_APACHE = "ProxyPass \"unix:/run/zcast/sse.sock|fcgi://zcast-sse/\" flushpackets=on timeout=75 retry=0 disablereuse=on",
        S_CADDY = "reverse_proxy 127.0.0.1:8081",
        S_HAPROXY = "server worker 127.0.0.1:8081, and use_backend zcast_events if { path /events }",
        S_ZCAST = "listen = 127.0.0.1:8081  (section ws), socket = /run/zcast/sse.sock  (section fcgi)"}},
    [ZC_ADVICE_ERROR_PAGE] = {"an EventSource gives up for good on any status but 200: answer 200, "
                              "text/event-stream and a line \"retry: 3000\"", {
        S_NGINX = "error_page 429 500 502 503 504 =200 @zcast_retry;",
        S_LIGHTTPD = "server.error-handler = \"/zcast-retry\"",
        S_APACHE = "ErrorDocument 503 /zcast-retry  (and 429, 500, 502, 504)",
        S_CADDY = "handle_errors { … }  (as in zcast.caddy)",
        S_HAPROXY = "http-error status 503 content-type text/event-stream lf-string \"retry: %[rand(4000),add(2000)]\\n\"  "
                    "(and 429, 500, 502, 504), http-after-response set-status 200 if !answered"}},
    [ZC_ADVICE_TYPE] = {"let Content-Type be what the worker says: text/event-stream", {0}},
    [ZC_ADVICE_BUFFERING] = {"each proxy on the way has to hand on what comes at once", {
        S_NGINX = "fastcgi_buffering off;  (proxy_pass: proxy_buffering off;), and no *_ignore_headers X-Accel-Buffering",
        S_LIGHTTPD = "server.stream-response-body = 2",
        S_APACHE = "flushpackets=on  (in ProxyPass)",
        S_CADDY = "flush_interval -1",
        S_HAPROXY = "option http-no-delay, and no `filter compression` for text/event-stream"}},
    [ZC_ADVICE_DELAY] = {"something gathers events for a moment", {
        S_NGINX = "tcp_nodelay on;",
        S_HAPROXY = "option http-no-delay"}},
    [ZC_ADVICE_ACCEL] = {"another nginx in front would buffer the stream", {
        S_NGINX = "fastcgi_pass_header X-Accel-Buffering;  (proxy_pass: proxy_pass_header X-Accel-Buffering;)",
        S_LIGHTTPD = "no setenv that takes X-Accel-Buffering away",
        S_APACHE = "no `Header unset X-Accel-Buffering`",
        S_CADDY = "no `header_down -X-Accel-Buffering`",
        S_HAPROXY = "no `http-response del-header X-Accel-Buffering`"}},
    [ZC_ADVICE_COMPRESSION] = {"a compressor holds events back until its block is full", {
        S_NGINX = "gzip off;  (in location = /events; or text/event-stream not in gzip_types)",
        S_LIGHTTPD = "deflate.mimetypes = ( … )  without text/event-stream",
        S_APACHE = "SetEnv no-gzip 1, SetEnv no-brotli 1  (in <Location \"/events\">)",
        S_CADDY = "encode @compressed gzip  (with  @compressed not path /events)",
        S_HAPROXY = "compression type …  without text/event-stream"}},
    [ZC_ADVICE_CACHE] = {"Cache-Control has to be the worker's: no-cache, no-transform", {
        S_NGINX = "expires off;  (no proxy_cache or fastcgi_cache, no *_ignore_headers Cache-Control)",
        S_LIGHTTPD = "no expire.url or setenv for /events",
        S_APACHE = "ExpiresActive Off, CacheDisable \"/events\"  (and no `Header set Cache-Control`)",
        S_CADDY = "no `header Cache-Control` for /events",
        S_HAPROXY = "no `http-response cache-store` and no `set-header Cache-Control` for /events"}},
    [ZC_ADVICE_IDLE] = {"every time-out on the way has to be longer than the time between two heartbeats", {
        S_NGINX = "fastcgi_read_timeout 75s;  (proxy_pass: proxy_read_timeout 75s;) and send_timeout 75s;",
        S_LIGHTTPD = "server.max-write-idle = 75, and no \"read-timeout\" below 75 in fastcgi.server",
        S_APACHE = "timeout=75  (in ProxyPass)",
        S_CADDY = "read_timeout 75s  (in transport http of reverse_proxy)",
        S_HAPROXY = "timeout server 75s, timeout client 75s",
        S_ZCAST = "heartbeat = 15s  (shorter than every time-out on the way)"}},
    [ZC_ADVICE_HEARTBEAT] = {"what is silent is cut by proxies; or something on the way holds heartbeats back", {
        S_NGINX = "fastcgi_buffering off;  (proxy_pass: proxy_buffering off;)",
        S_LIGHTTPD = "server.stream-response-body = 2",
        S_APACHE = "flushpackets=on timeout=75  (in ProxyPass: after a shorter time-out, Apache leaves the browser waiting)",
        S_CADDY = "flush_interval -1",
        S_HAPROXY = "option http-no-delay",
        S_ZCAST = "heartbeat = 15s"}},
    [ZC_ADVICE_CORS] = {NULL, {
        S_ZCAST = "cors-origin = \"\1\"  (sections ws and fcgi)"}},
    [ZC_ADVICE_CORS_TWICE] = {"a browser takes one Access-Control-Allow-Origin: let the worker alone say it", {
        S_NGINX = "no add_header Access-Control-Allow-Origin  (in location = /events, or around it)",
        S_LIGHTTPD = "no Access-Control-Allow-Origin in setenv.add-response-header",
        S_APACHE = "no `Header add Access-Control-Allow-Origin` for /events",
        S_CADDY = "no `header Access-Control-Allow-Origin` for /events",
        S_HAPROXY = "no `http-response add-header Access-Control-Allow-Origin`",
        S_ZCAST = "cors-origin = \"\1\""}},
    [ZC_ADVICE_CORS_HEADERS] = {"the preflight has to reach the worker, whose answer allows Last-Event-ID and "
                                "Authorization", {
        S_NGINX = "no `if ($request_method = OPTIONS)` and no limit_except in location = /events",
        S_LIGHTTPD = "no rule for $HTTP[\"request-method\"] == \"OPTIONS\" on /events",
        S_APACHE = "no <Limit>, RewriteRule or `Header set Access-Control-Allow-Headers` for OPTIONS on /events",
        S_CADDY = "no `@options method OPTIONS` before /events",
        S_HAPROXY = "no `http-request return … if METH_OPTIONS` before /events",
        S_ZCAST = "cors-origin = \"\1\"  (sections ws and fcgi)"}},
    [ZC_ADVICE_LAST_ID] = {"the field Last-Event-ID has to reach the worker, or reconnecting browsers miss messages", {
        S_NGINX = "no fastcgi_param HTTP_LAST_EVENT_ID, no proxy_set_header Last-Event-ID; fastcgi_pass_request_headers on; (proxy_…)",
        S_LIGHTTPD = "no \"Last-Event-ID\" in setenv.set-request-header",
        S_APACHE = "no `RequestHeader unset Last-Event-ID`",
        S_CADDY = "no `header_up -Last-Event-ID`",
        S_HAPROXY = "no `http-request del-header Last-Event-ID`"}},
    [ZC_ADVICE_HISTORY] = {"do all workers have the same broker?", {
        S_ZCAST = "history = lmdb:/var/lib/zcast, and larger topic-messages, topic-bytes, history-age"}},
    [ZC_ADVICE_UPGRADE] = {NULL, {
        S_NGINX = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $zcast_connection;",
        S_LIGHTTPD = "proxy.header = (\"upgrade\" => \"enable\")",
        S_APACHE = "upgrade=websocket  (in ProxyPass; a2enmod proxy_http)",
        S_CADDY = "handle /ws, with reverse_proxy 127.0.0.1:8081 in it  (and no `header_up Upgrade` or `header_up Connection`)",
        S_HAPROXY = "no `http-request del-header Upgrade`, and no `option httpclose`"}},
    [ZC_ADVICE_SOCKET_PATH] = {"where no WebSocket is wanted: --skip websocket", {
        S_NGINX = "location = /ws { proxy_pass http://zcast_ws; … }",
        S_LIGHTTPD = "$HTTP[\"url\"] == \"/ws\" { proxy.server = … }",
        S_APACHE = "ProxyPass \"http://127.0.0.1:8081/ws\" upgrade=websocket timeout=75 retry=0  (in <Location \"/ws\">)",
        S_CADDY = "handle /ws, with reverse_proxy 127.0.0.1:8081 in it",
        S_HAPROXY = "use_backend zcast_ws if { path /ws }"}},
    [ZC_ADVICE_SOCKET_IDLE] = {"every time-out on the way has to be longer than the time between two pings", {
        S_NGINX = "proxy_read_timeout 75s; proxy_send_timeout 75s;  (in location = /ws)",
        S_LIGHTTPD = "server.max-read-idle = 75, server.max-write-idle = 75",
        S_APACHE = "timeout=75  (in ProxyPass of /ws)",
        S_CADDY = "no stream_timeout in the reverse_proxy of /ws",
        S_HAPROXY = "timeout tunnel 75s",
        S_ZCAST = "heartbeat = 15s  (section ws)"}},
    [ZC_ADVICE_ALLOW_ORIGIN] = {NULL, {
        S_ZCAST = "allow-origin = \"\1\"  (section ws)"}},
    [ZC_ADVICE_HOST] = {"the worker has to see the host that the browser asked for", {
        S_NGINX = "proxy_set_header Host $http_host;",
        S_LIGHTTPD = "no \"Host\" in proxy.header or setenv.set-request-header",
        S_APACHE = "ProxyPreserveHost On",
        S_CADDY = "no `header_up Host`",
        S_HAPROXY = "no `http-request set-header Host`",
        S_ZCAST = "hosts = \"\1\"  (section common)"}},
    [ZC_ADVICE_TOKEN_HEADER] = {"the field Authorization has to reach the worker", {
        S_NGINX = "no fastcgi_param HTTP_AUTHORIZATION, no proxy_set_header Authorization; fastcgi_pass_request_headers on; (proxy_…)",
        S_LIGHTTPD = "no \"Authorization\" in setenv.set-request-header, and no auth.require for /events",
        S_APACHE = "CGIPassAuth On",
        S_CADDY = "no `header_up -Authorization`",
        S_HAPROXY = "pass-header Authorization  (in fcgi-app), and no `http-request del-header Authorization`"}},
    [ZC_ADVICE_TOKEN] = {"zmq token check --token-keys FILE --subscribe TOPIC < TOKEN says what is wrong with it", {
        S_ZCAST = "token-keys, token-issuers, token-audiences, access"}},
    [ZC_ADVICE_CERTIFICATE] = {"renew the certificate (certbot renew), reload the web server, and serve it with its "
                               "intermediate certificates", {
        S_NGINX = "ssl_certificate …/fullchain.pem;",
        S_LIGHTTPD = "ssl.pemfile = \"…/fullchain.pem\"",
        S_APACHE = "SSLCertificateFile …/fullchain.pem",
        S_CADDY = "tls  (Caddy renews by itself, if the name leads here and ports 80 and 443 are reached)",
        S_HAPROXY = "bind :443 ssl crt …  (certificate, chain and key in one file)"}},
    [ZC_ADVICE_HTTP2] = {"or let tabs share one connection: zcast.js does", {
        S_NGINX = "listen 443 ssl http2;  (from nginx 1.25.1 on: listen 443 ssl; http2 on;)",
        S_LIGHTTPD = "server.feature-flags += (\"server.h2proto\" => \"enable\")",
        S_APACHE = "Protocols h2 http/1.1  (a2enmod http2)",
        S_CADDY = "protocols h1 h2  (in servers; that is how it comes)",
        S_HAPROXY = "bind :443 ssl crt … alpn h2,http/1.1"}},
    [ZC_ADVICE_TLS] = {"tokens and messages can be read on the way, and browsers speak HTTP/2 over TLS alone", {
        S_NGINX = "listen 443 ssl http2;  (from nginx 1.25.1 on: listen 443 ssl; http2 on;)",
        S_LIGHTTPD = "ssl.engine = \"enable\"",
        S_APACHE = "SSLEngine on",
        S_CADDY = "example.org { … }  (a name in place of http://)",
        S_HAPROXY = "bind :443 ssl crt … alpn h2,http/1.1"}},
    [ZC_ADVICE_CLOCK] = {"timedatectl set-ntp true, on the machine that is wrong", {
        S_ZCAST = "token-leeway = 5s  (how far the clock of who makes tokens may be off)"}},
    [ZC_ADVICE_PUBLISH] = {NULL, {
        S_ZCAST = "allow-publish = yes, or tokens that grant the topic"}},
    [ZC_ADVICE_LIMIT] = {"or a limit of the web server's", {
        S_NGINX = "limit_conn zcast_held 200; limit_req zone=zcast_opened burst=200 nodelay;  (behind a balancer: real_ip_header)",
        S_ZCAST = "max-clients, max-connections-per-address, connect-rate; trust-proxy  (behind a balancer)"}},
};
/* clang-format on */

static const char *const s_names[ZC_WEB_SERVERS] = {"nginx", "lighttpd", "apache",
                                                    "caddy", "haproxy",  "zcast.conf"};

const char *zc_web_server_name (zc_web_server_t server)
{
    return s_names[server];
}

zc_web_server_t zc_web_server_find (const char *text)
{
    for (zc_web_server_t server = 0; server < ZC_WEB_ZCAST; server++)
        if (text && strncasecmp (text, s_names[server], strlen (s_names[server])) == 0)
            return server;
    return ZC_WEB_UNKNOWN;
}

const char *zc_advice_line (zc_advice_t advice, zc_web_server_t server)
{
    return s_advices[advice].lines[server];
}

const char *zc_advice_hint (zc_advice_t advice)
{
    return s_advices[advice].hint;
}
