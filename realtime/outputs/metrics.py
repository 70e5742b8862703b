"""A page of figures for Prometheus, on this machine only: the one file that knows its library.

Every counter of `realtime.stats` is `mafnet_<name>_total`; latencies are in seconds, the state of a
sense is 1 under its name. With several streams the counters and latencies are the run's, and each
stream's own stand beside them under `mafnet_stream_`. The page is made from a snapshot when it is
asked for, in a thread of the server's own (`metrics_server`), so that nobody who asks often or
reads slowly holds recognition up. It has no password and no encryption: what it tells is how the
program does, not what happens in the room.

On a loopback address it answers only who asks for this machine by name: a page in a browser may
have its own host name lead here (DNS rebinding) and would read the figures as if they were its own.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from realtime.addresses import host_of, is_loopback, split_address
from realtime.errors import OutputError, UsageError
from realtime.stats import StatsSnapshot

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client import Metric

MS_PER_S = 1000.0
QUANTILES = ("0.5", "0.95", "0.99")
# Name, text, names of the labels, and each value with its labels.
Gauges = Sequence[tuple[str, str, Sequence[str], Sequence[tuple[Sequence[str], float]]]]


class MetricsPage:
    """Serves figures over HTTP from `open` to `close`; main thread only.

    Args:
        address: `HOST:PORT`; port 0 picks a free one.
        figures: Returns the run's figures; called in the server's threads.
        streams: Returns each stream's figures by its name; likewise.
        senses: Returns the state of each sense of each stream; likewise.
        n_subscribers: Returns who is connected to the event socket, None if unknown; likewise.
        insecure: Allow an address that other machines reach.
        more: Returns further figures; likewise.

    Raises:
        UsageError: The address can be reached from other machines and `insecure` is not set, or
            prometheus-client is not installed.
    """

    def __init__(
        self,
        address: str,
        figures: Callable[[], StatsSnapshot],
        streams: Callable[[], Mapping[str, StatsSnapshot]],
        senses: Callable[[], Mapping[str, Mapping[str, str]]],
        n_subscribers: Callable[[], int | None],
        *,
        insecure: bool = False,
        more: Callable[[], Gauges] | None = None,
    ) -> None:
        self._more = more
        self._host, self._port = split_address(address)
        if not (insecure or is_loopback(self._host)):
            raise UsageError(
                f"--metrics {address} can be reached from other machines, unencrypted; give "
                f"127.0.0.1:{self._port}, or add --insecure if you mean it"
            )
        try:
            import prometheus_client
        except ImportError as error:
            raise UsageError(
                "--metrics needs the package prometheus-client; run `pip install prometheus-client`"
            ) from error
        self._library = prometheus_client
        self._figures = figures
        self._streams = streams
        self._senses = senses
        self._n_subscribers = n_subscribers
        self._close: Callable[[], None] | None = None

    def open(self) -> int:
        """Begin to serve; return the port.

        Raises:
            OutputError: The address is taken or cannot be used.
        """
        from realtime.outputs.metrics_server import serve

        registry = self._library.CollectorRegistry()
        registry.register(self)  # it asks for `collect` alone
        app: WSGIApplication = self._library.make_wsgi_app(registry)
        if is_loopback(self._host):
            app = _for_this_machine(app)
        try:
            server, thread = serve(app, self._host, self._port)
        except OSError as error:
            where = f"{self._host}:{self._port}"
            if error.errno == errno.EADDRINUSE:
                raise OutputError(
                    f"{where} is taken by another program; choose another port with --metrics"
                ) from error
            raise OutputError(f"no metrics on {where} ({error.strerror})") from error

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join(1.0)

        self._close = close
        return int(server.server_port)

    def close(self) -> None:
        """Serve no more. May be called again, and without `open`."""
        if self._close is not None:
            self._close()
            self._close = None

    def collect(self) -> Iterator[Metric]:
        """Return the figures as of now; prometheus-client calls it for each request."""
        core = self._library.metrics_core
        figures, streams, senses_of = self._figures(), self._streams(), self._senses()
        for name, n in sorted(figures.counts.items()):
            yield core.CounterMetricFamily(f"mafnet_{name}", f"Counter {name}", value=n)
        for name, quantiles in (("latency", _latencies(figures)), ("compute", _computing(figures))):
            family = core.GaugeMetricFamily(
                f"mafnet_{name}_seconds", f"Recent {name} of a decision", labels=["quantile"]
            )
            for quantile, seconds in quantiles:
                family.add_metric([quantile], seconds)
            yield family
        yield from self._collect_streams(streams)
        for name, text, labels, values in () if self._more is None else self._more():
            gauge = core.GaugeMetricFamily(name, text, labels=labels)
            for of, number in values:
                gauge.add_metric(of, number)
            yield gauge
        # The figures of a run with one stream are that stream's.
        yield self._collect_labels(streams or dict.fromkeys(senses_of, figures))
        states = core.GaugeMetricFamily(
            "mafnet_sense_state",
            "1 for the state a sense is in",
            labels=["source", "sense", "state"],
        )
        for source, senses in senses_of.items():
            for sense, state in senses.items():
                states.add_metric([source, sense, state], 1)
        yield states
        for name, text, value in (
            ("sound_level_db", "Newest sound level, dB of full scale", figures.sound_level_db),
            ("drift_ppm", "How much longer a sound device's second is", figures.drift_ppm),
            ("load_level", "What is given up to keep up, 0 for nothing", figures.load_level),
            ("subscribers", "Connections to the event socket", self._n_subscribers()),
        ):
            if value is not None:
                yield core.GaugeMetricFamily(f"mafnet_{name}", text, value=value)

    def _collect_labels(self, streams: Mapping[str, StatsSnapshot]) -> Metric:
        family = self._library.metrics_core.CounterMetricFamily(
            "mafnet_label_events",
            "Events of a label, by the stream they were in",
            labels=["source", "label"],
        )
        for source, own in streams.items():
            for label, n in sorted(own.label_events.items()):
                family.add_metric([source, label], n)
        return family

    def _collect_streams(self, streams: Mapping[str, StatsSnapshot]) -> Iterator[Metric]:
        core = self._library.metrics_core
        for name in sorted({name for figures in streams.values() for name in figures.counts}):
            family = core.CounterMetricFamily(
                f"mafnet_stream_{name}", f"Counter {name} of a stream", labels=["source"]
            )
            for source, figures in streams.items():
                family.add_metric([source], figures.count(name))
            yield family
        latency = core.GaugeMetricFamily(
            "mafnet_stream_latency_seconds",
            "Recent latency of a stream's decision",
            labels=["source", "quantile"],
        )
        for source, figures in streams.items():
            for quantile, seconds in _latencies(figures):
                latency.add_metric([source, quantile], seconds)
        yield latency


def _for_this_machine(app: WSGIApplication) -> WSGIApplication:
    """Return the app for requests whose `Host` is this machine, and 403 for others."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if is_loopback(host_of(environ.get("HTTP_HOST", ""))):
            return app(environ, start)
        start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"ask for 127.0.0.1 or localhost, by the address that --metrics names\n"]

    return answer


def _latencies(figures: StatsSnapshot) -> list[tuple[str, float]]:
    return _known(figures.latency_p50_ms, figures.latency_p95_ms, figures.latency_p99_ms)


def _computing(figures: StatsSnapshot) -> list[tuple[str, float]]:
    return _known(figures.compute_p50_ms, figures.compute_p95_ms)


def _known(*values_ms: float | None) -> list[tuple[str, float]]:
    """Return seconds by quantile of the values that are there; they come as 50, 95, 99 %."""
    named = zip(QUANTILES, values_ms, strict=False)
    return [(quantile, value / MS_PER_S) for quantile, value in named if value is not None]
