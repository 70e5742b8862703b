"""One decoder for streams and for files: what FFmpeg opened, as dated frames and blocks of sound.

Place in the flow: `realtime.sources.container` reads live sources and files with it, and
`extractors.media` the files of a data set, so that a stream and its file's features agree. It paces
nothing, chooses no frames for a grid and resamples nothing.

opening       a file as FFmpeg is to open it
tracks        which of several tracks is seen and which heard
told_length   how long a recording is by its own account
file_packets  the packets of a file, over joins and changes of streams
  one_clock     … on one clock for both senses (its packets: stamped)
  rivals        … of another stream of the same container
  part_breaks   … up to where time breaks off
  successors    … and from there on
decoder       packets to frames and blocks, each with its exact time
  timing        … which time that is
  damage        … and how much is broken or missing
pictures      a frame to RGB, upright (orientation)
samples       a block to float32
limits        what is refused
"""
