"""The page of figures of deployments: a run of one way replaces its rows alone."""

from deploy.figures import Figure, page

BEFORE = """| what | seconds | MB | retried |
|---|---|---|---|
| Swarm: up | 25.0 |  |  |
| image: over its base |  | 81 |  |
| Swarm: scaled | 3.0 |  | 1 |
"""


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ")][1:]


def test_the_rows_of_a_way_are_replaced_and_those_of_others_stay() -> None:
    made = page([Figure("Swarm: up", 7.25, retried=2), Figure("Kubernetes: up", megabytes=12.4)], BEFORE)
    assert rows(made) == [
        "| Swarm: up | 7.2 |  | 2 |",
        "| image: over its base |  | 81 |  |",
        "| Kubernetes: up |  | 12 |  |",
    ]


def test_the_same_figures_give_the_same_page() -> None:
    figures = [Figure("image: over its base", megabytes=81.0)]
    assert page(figures, page(figures)) == page(figures)
