"""Links, image shapes and scenarios, and the least time a link allows."""

from dataclasses import dataclass, field

ETHERNET_PAYLOAD_SHARE = 1448 / 1538  # TCP payload of a full packet over what it costs the wire
PROTOCOL_OVERHEAD = 1.005  # TLS records and HTTP headers
ROUND_TRIPS = 4  # TCP, TLS 1.3, manifest, layer


@dataclass(frozen=True)
class Link:
    """A link between client and registry. Rates are in Mbit/s, loss is a share each way."""

    rtt_ms: float
    down_mbit: float
    up_mbit: float
    loss: float = 0.0

    def describe(self):
        loss = f", {self.loss * 100:g} % loss" if self.loss else ""
        return f"{self.rtt_ms:g} ms, {self.down_mbit:g}/{self.up_mbit:g} Mbit/s{loss}"


@dataclass(frozen=True)
class Shape:
    """An image by the compressed sizes of its layers, in bytes."""

    name: str
    title: str
    layers: tuple

    @property
    def layer_bytes(self):
        return sum(self.layers)


SIX = Shape("six", "6 layers, 49 MB", (31_000_000, 17_000_000, 900_000, 80_000, 15_000, 5_000))
FORTY = Shape("forty", "40 layers, 28 MB", (700_000,) * 40)
SIXTEEN = Shape("sixteen", "6 layers, 16 MB", (9_000_000, 5_000_000, 1_500_000, 400_000, 80_000, 20_000))
SIXTY = Shape("sixty", "60 layers, 28 MB", (466_000,) * 60)
MANY = Shape("many", "127 layers, 40 MB", (315_000,) * 127)
HUGE = Shape("huge", "one layer of 213 MB and three others, 233 MB", (213_000_000, 12_000_000, 6_000_000, 2_000_000))
ANOTHER = Shape("another", "4 layers, 3 MB", (2_500_000, 400_000, 60_000, 8_000))  # pulled before `known` ones
SHAPES = {shape.name: shape for shape in (SIX, FORTY, HUGE, SIXTEEN, SIXTY, MANY, ANOTHER)}


@dataclass(frozen=True)
class Scenario:
    """One row of the table: `link` None is loopback without a link."""

    name: str
    shape: Shape
    link: Link | None
    target: str  # what hawser is to reach
    cached: bool = False  # a second pull, everything in the cache
    uncompressed: bool = False  # layers as plain tar
    tools: tuple = field(default=())  # the only tools that can do it; empty: all
    per_connection: int = 0  # bytes a second that one connection gets of the server; 0: as much as there is
    three_origins: bool = False  # registry, token service and storage, as the large public registries have them
    known: bool = False  # another image was pulled from this registry before

    def describe_link(self):
        share = f", {self.per_connection / 1000:g} kB/s a connection" if self.per_connection else ""
        origins = ", tokens and redirects on three origins" if self.three_origins else ""
        before = ", second image from there" if self.known else ""
        return (self.link.describe() if self.link else "loopback") + share + origins + before

    def limit_seconds(self, image_bytes):
        """The least time the link allows for `image_bytes` of blobs, None on loopback."""
        if self.link is None or self.per_connection:
            return None
        round_trip = self.link.rtt_ms / 1000
        if self.cached:
            return 3 * round_trip
        payload_rate = self.link.down_mbit * 1e6 / 8 * ETHERNET_PAYLOAD_SHARE
        return ROUND_TRIPS * round_trip + image_bytes * PROTOCOL_OVERHEAD / payload_rate


FAR = Link(100, 200, 50)
LOSSY = Link(250, 100, 20, 0.001)
FAST = Link(20, 1000, 200)
NEAR = Link(2, 1000, 1000)

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("far", SIX, FAR, "1.20 × limit"),
        Scenario("small", FORTY, FAR, "1.35 × limit"),
        Scenario("huge", HUGE, FAR, "1.10 × limit"),
        Scenario("lossy", SIX, LOSSY, "1.35 × limit"),
        Scenario("fast", SIX, FAST, "1.6 × limit"),
        Scenario("loopback", HUGE, None, "crane ÷ 2, skopeo ÷ 10"),
        Scenario("cached", SIX, FAR, "3 round trips + 0.2 s", cached=True, tools=("hawser", "original")),
        Scenario("many", MANY, FAR, "1.15 × limit"),
        Scenario("shares", SIXTY, None, "1.3 × the best fixed number", per_connection=150_000),
        Scenario("shares-six", SIXTEEN, None, "1.3 × the best fixed number", per_connection=150_000),
        Scenario("shares-near", SIXTY, NEAR, "1.3 × the best fixed number", per_connection=150_000),
        Scenario("shares-far", SIXTY, FAR, "1.3 × the best fixed number", per_connection=150_000),
        Scenario("shares-again", SIXTY, None, "1.3 × the best fixed number", per_connection=150_000, known=True),
        Scenario("public", SIX, FAR, "1.35 × limit", three_origins=True),
        Scenario("public-small", FORTY, FAR, "1.5 × limit", three_origins=True),
        Scenario("public-huge", HUGE, FAR, "1.10 × limit", three_origins=True),
        Scenario("public-again", SIX, FAR, "1.15 × limit", three_origins=True, known=True),
        Scenario("public-small-again", FORTY, FAR, "1.3 × limit", three_origins=True, known=True),
        Scenario("uncompressed", SIX, FAR, "1.25 × limit", uncompressed=True),
        Scenario("uncompressed-loopback", HUGE, None, "skopeo ÷ 3", uncompressed=True),
    )
}
