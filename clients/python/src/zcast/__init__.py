"""Real-time events from zcast, over Server-Sent Events or WebSocket: nothing is missed without a word.

    async with zcast.connect("https://www.example.org", topics=["news"]) as stream:
        async for item in stream:
            if isinstance(item, zcast.Gap):
                await load_anew()
            else:
                print(item.topic, item.data)
"""

from .errors import Refused
from .frames import Gap, Message
from .publish import publish
from .stream import Status, Stream, connect

__all__ = ["Gap", "Message", "Refused", "Status", "Stream", "connect", "publish"]
