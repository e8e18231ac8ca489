"""What is measured on Kafka."""

from bookshelf.bench.kafka.bare import BARE
from bookshelf.bench.kafka.memory import MEMORY
from bookshelf.bench.kafka.posts import POSTS
from bookshelf.bench.kafka.replay import REPLAY
from bookshelf.bench.kafka.takeover import TAKEOVER
from bookshelf.bench.kafka.visible import VISIBLE

MEASUREMENTS = (BARE, POSTS, VISIBLE, REPLAY, TAKEOVER, MEMORY)
