"""The list of all measurements on Kafka."""

from bench.kafka.bare import BARE
from bench.kafka.memory import MEMORY
from bench.kafka.posts import POSTS
from bench.kafka.replay import REPLAY
from bench.kafka.takeover import TAKEOVER
from bench.kafka.visible import VISIBLE

MEASUREMENTS = (BARE, POSTS, VISIBLE, REPLAY, TAKEOVER, MEMORY)
