"""An RTSP camera on this machine: GStreamer's server, with a password. Run it with any Python
that has PyGObject (Debian's python3-gi):
`python rtsp_camera.py PORT USER PASSWORD [SOUND [TRANSPORT [PICTURES N]]]`.
SOUND is mono, 16 bits, 16 kHz without a header, played again and again; without a USER anybody may
watch; the transport `udp` refuses TCP; PICTURES is like `folder/%05d.jpg`, N of them shown at 20 a
second again and again.
"""

import importlib
import sys

BALL = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=20/1"
PICTURES = (
    "multifilesrc location={} loop=true start-index=0 stop-index={} caps=image/jpeg,framerate=20/1"
    " ! jpegdec ! identity sync=true ! videoconvert"
)
VP8 = "vp8enc deadline=1 keyframe-max-dist=20 ! rtpvp8pay name=pay0 pt=96"
NOISE = "audiotestsrc is-live=true wave=pink-noise volume=0.02"
FILE = (
    "multifilesrc location={} loop=true ! rawaudioparse use-sink-caps=false format=pcm"
    " pcm-format=s16le sample-rate=16000 num-channels=1 ! identity sync=true"
    " ! audioconvert ! audioresample"
)
G711 = "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=97"


def main(
    port: str,
    user: str,
    password: str,
    sound: str = "",
    transport: str = "any",
    pictures: str = "",
    n_pictures: str = "0",
) -> None:
    """Serve one camera at /camera until killed."""
    gi = importlib.import_module("gi")
    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    rtsp = importlib.import_module("gi.repository.GstRtspServer")
    importlib.import_module("gi.repository.Gst").init(None)
    server = rtsp.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    camera = rtsp.RTSPMediaFactory()
    if user:
        who = rtsp.RTSPToken()
        who.set_string("media.factory.role", "viewer")
        access = rtsp.RTSPAuth()
        access.add_basic(rtsp.RTSPAuth.make_basic(user, password), who)
        server.set_auth(access)
        may = rtsp.RTSPPermissions()
        may.add_permission_for_role("viewer", "media.factory.access", True)
        may.add_permission_for_role("viewer", "media.factory.construct", True)
        camera.set_permissions(may)
    picture = PICTURES.format(pictures, int(n_pictures) - 1) if pictures else BALL
    heard = FILE.format(sound) if sound else NOISE
    camera.set_launch(f"( {picture} ! {VP8} {heard} ! {G711} )")
    if transport == "udp":
        gi.require_version("GstRtsp", "1.0")
        camera.set_protocols(importlib.import_module("gi.repository.GstRtsp").RTSPLowerTrans.UDP)
    camera.set_shared(True)
    server.get_mount_points().add_factory("/camera", camera)
    server.attach(None)
    importlib.import_module("gi.repository.GLib").MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
