"""Python's httpx-sse in the loop that its manual shows: client.py URL. Prints what the application is given, as client.mjs."""

import json
import sys
import time

import httpx
import httpx_sse


def say(**words):
    print(json.dumps(words), flush=True)


last_id, pause = "", 0.5
with httpx.Client(timeout=httpx.Timeout(10, read=None), trust_env=False) as client:
    while True:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        try:
            with httpx_sse.connect_sse(client, "GET", sys.argv[1], headers=headers) as source:
                source.response.raise_for_status()
                say(open=True)
                for event in source.iter_sse():
                    last_id = event.id
                    if event.retry is not None:
                        pause = event.retry / 1000
                    json.loads(event.data)
                    say(data=event.data, event=event.event, id=event.id)
        except httpx.TransportError:
            pass
        time.sleep(pause)
