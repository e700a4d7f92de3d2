// npm's `eventsource`, from Debian's package node-eventsource: prints what comes in, a line of JSON each.
const EventSource = require("/usr/share/nodejs/eventsource");
const source = new EventSource(process.argv[2]);
const print = value => console.log(JSON.stringify(value));
source.onopen = () => print({ open: true });
source.onerror = error => print({ error: error.message || error.status || "closed", state: source.readyState });
source.onmessage = event => print({ data: event.data, id: event.lastEventId });
source.addEventListener("zcast.continuity", event => print({ continuity: JSON.parse(event.data) }));
