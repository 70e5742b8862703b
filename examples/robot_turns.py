"""A ROS 2 node: the robot is asked to face the camera that an event was seen or heard at.

python examples/robot_turns.py Siren --bearing left=1.57 --bearing right=-1.57

Each stream has a bearing in radians, counter-clockwise from straight ahead (REP 103). A pose that
faces it goes to /event_pose, in the robot's own frame, stamped with when the event began.
"""

import argparse
import math

import rclpy
from geometry_msgs.msg import PoseStamped

from realtime import Subscriber

parser = argparse.ArgumentParser(description="Ask a robot to face where an event happens.")
parser.add_argument("labels", nargs="*", help="these alone (default: all)")
parser.add_argument("--endpoint", default="tcp://127.0.0.1:5556")
parser.add_argument("--bearing", action="append", default=[], metavar="SOURCE=RADIANS")
parser.add_argument("--frame", default="base_link")
options = parser.parse_args()
bearings = {name: float(text) for name, text in (each.split("=") for each in options.bearing)}

rclpy.init()
node = rclpy.create_node("mafnet_events")
poses = node.create_publisher(PoseStamped, "event_pose", 10)
try:
    with Subscriber(options.endpoint, labels=options.labels) as subscriber:
        while rclpy.ok():
            message = subscriber.receive(0.1)
            rclpy.spin_once(node, timeout_sec=0.0)
            if message is None or message.is_replay:
                continue
            event = message.event()
            if event.phase != "onset":
                continue
            seconds = event.onset_utc.timestamp()
            pose = PoseStamped()
            pose.header.frame_id = options.frame
            pose.header.stamp.sec = math.floor(seconds)
            pose.header.stamp.nanosec = event.onset_utc.microsecond * 1000
            half = bearings.get(event.source, 0.0) / 2
            pose.pose.orientation.z, pose.pose.orientation.w = math.sin(half), math.cos(half)
            poses.publish(pose)
            node.get_logger().info(f"{event.label} at {event.source}")
except KeyboardInterrupt:
    pass
finally:
    node.destroy_node()
