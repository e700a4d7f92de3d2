//! The hub that most people would write: axum, and one tokio broadcast channel, of which every client has a receiver.
//! POST /pub, GET /events (SSE), GET /ws. No history, no ids, one topic.
use axum::{
    extract::{ws::WebSocketUpgrade, State},
    response::{
        sse::{Event, Sse},
        IntoResponse,
    },
    routing::{get, post},
    serve::ListenerExt,
    Router,
};
use std::convert::Infallible;
use tokio::sync::broadcast::{self, error::RecvError, Sender};
use tokio_stream::{wrappers::BroadcastStream, StreamExt};

const BUFFER: usize = 20_000;

async fn publish(State(hub): State<Sender<String>>, body: String) {
    let _ = hub.send(body);
}

async fn events(State(hub): State<Sender<String>>) -> impl IntoResponse {
    let messages = BroadcastStream::new(hub.subscribe())
        .filter_map(|message| message.ok())
        .map(|message| Ok::<_, Infallible>(Event::default().data(message)));
    Sse::new(messages)
}

async fn websocket(State(hub): State<Sender<String>>, upgrade: WebSocketUpgrade) -> impl IntoResponse {
    let mut messages = hub.subscribe();
    upgrade.on_upgrade(move |mut socket| async move {
        loop {
            match messages.recv().await {
                Ok(message) => {
                    if socket.send(message.into()).await.is_err() {
                        return;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    })
}

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).expect("a port");
    let app = Router::new()
        .route("/pub", post(publish))
        .route("/events", get(events))
        .route("/ws", get(websocket))
        .with_state(broadcast::channel(BUFFER).0);
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("the port");
    let listener = listener.tap_io(|socket| {
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, app).await.expect("a server");
}
