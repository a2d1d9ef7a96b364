"""One end of a WebRTC audio call, by aiortc; both ends meet in a folder.

    call.py client FOLDER SECONDS TURN-URL    offers, and sends over the relay only
    call.py server FOLDER SECONDS             answers, from its own address

Offer and answer are files, each with all candidates in it. Both ends send a tone for SECONDS, then fall silent
before either hangs up, so that nothing is sent to an end that is gone.
"""

import array
import asyncio
import fractions
import json
import math
import pathlib
import sys
import time

import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaBlackhole

RATE = 48000
FRAME = RATE // 50
PATIENCE = 30


class Tone(MediaStreamTrack):
    """440 Hz in frames of 20 ms, each at its time."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.sent = 0
        self.began = None

    async def recv(self):
        self.began = self.began or time.monotonic()
        await asyncio.sleep(max(0, self.began + self.sent / RATE - time.monotonic()))
        samples = array.array(
            "h",
            (
                int(8000 * math.sin(2 * math.pi * 440 * (self.sent + at) / RATE))
                for at in range(FRAME)
            ),
        )
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = RATE
        frame.time_base = fractions.Fraction(1, RATE)
        frame.pts = self.sent
        self.sent += FRAME
        return frame


def say(folder, name, description):
    """Writes a description at once: a reader sees all of it or no file."""
    text = json.dumps({"sdp": description.sdp, "type": description.type})
    unfinished = folder / f"{name}.unfinished"
    unfinished.write_text(text)
    unfinished.rename(folder / name)


async def hear(folder, name):
    while not (folder / name).exists():
        await asyncio.sleep(0.05)
    return RTCSessionDescription(**json.loads((folder / name).read_text()))


async def meet(connection, folder, role):
    if role == "client":
        await connection.setLocalDescription(await connection.createOffer())
        say(folder, "offer", connection.localDescription)
        await connection.setRemoteDescription(await hear(folder, "answer"))
    else:
        await connection.setRemoteDescription(await hear(folder, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        say(folder, "answer", connection.localDescription)


async def call(role, folder, seconds, relay=None):
    configuration = RTCConfiguration(iceServers=[])
    if relay:
        server = RTCIceServer(urls=[relay], username="lab", credential="lab")
        configuration = RTCConfiguration(
            iceServers=[server], iceTransportPolicy=RTCIceTransportPolicy.RELAY
        )
    connection = RTCPeerConnection(configuration)
    connected = asyncio.Event()
    sink = MediaBlackhole()

    @connection.on("connectionstatechange")
    def changed():
        print(role, connection.connectionState, flush=True)
        if connection.connectionState == "connected":
            connected.set()

    connection.on("track", sink.addTrack)
    sender = connection.addTrack(Tone())
    try:
        await asyncio.wait_for(meet(connection, folder, role), PATIENCE)
        await sink.start()
        await asyncio.wait_for(connected.wait(), PATIENCE)
        await asyncio.sleep(seconds)
        await sender.stop()
        await asyncio.sleep(1)
    finally:
        await sink.stop()
        await connection.close()


if __name__ == "__main__":
    role, folder, seconds, *relay = sys.argv[1:]
    asyncio.run(call(role, pathlib.Path(folder), float(seconds), *relay))
