"""The list of all measurements on Kafka."""

from bench.kafka.bare import BARE
from bench.kafka.memory import MEMORY
from bench.kafka.posts import POSTS
from bench.kafka.processes import PROCESSES_ON_KAFKA
from bench.kafka.replay import REPLAY
from bench.kafka.sessions import SESSIONS_ON_KAFKA
from bench.kafka.shop import SHOP_ON_KAFKA
from bench.kafka.takeover import TAKEOVER
from bench.kafka.visible import VISIBLE

MEASUREMENTS = (
    BARE,
    POSTS,
    VISIBLE,
    REPLAY,
    TAKEOVER,
    PROCESSES_ON_KAFKA,
    SHOP_ON_KAFKA,
    SESSIONS_ON_KAFKA,
    MEMORY,
)
