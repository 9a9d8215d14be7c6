"""One case: are the numbers the same, then how long does everybody take, in turns."""

import dataclasses
import pathlib
import statistics
import tempfile
import time

import numpy as np

from cases import CONVENTIONS, ONNX, OURS, PREPARED, PRODUCTS
from engines import Skip
from server import RustCalls

# A round of one engine: calls for so many nanoseconds, after a pause in which the threads of the engine before it go to sleep.
BUDGET, PAUSE = 10_000_000, 0.004
# An engine whose call takes longer takes part in every third round only.
SLOW = 100_000_000
# Greatest difference that is still the same number: f32 relative to the greatest value; u8 in steps, since peers round between the
# passes, in either order. Nearest copies, and must be the same.
TOLERANCE = {"resize": 1e-5, "conv_transpose": 1e-4}
STEPS = 2
# Colours are divided by alpha after rounding, and light is rounded before it is turned back: both widen a step.
WIDENED_STEPS = 8


@dataclasses.dataclass
class Result:
    """What one engine did in one case."""

    skipped: str = ""
    difference: float | None = None
    agrees: bool = True
    times: dict = dataclasses.field(default_factory=dict)  # allocated, reused -> {round: nanoseconds}

    def median(self, into):
        return statistics.median(self.times[into].values()) if into in self.times else None

    @property
    def best_kind(self):
        """Reused where the engine can, else allocated."""
        return "reused" if "reused" in self.times else "allocated"


def ratio(peer, ours):
    """How many times as long the peer takes: the median over the rounds that both took part in, like against like."""
    kind = peer.best_kind if peer.best_kind in ours.times else ours.best_kind
    mine, theirs = ours.times.get(kind, {}), peer.times.get(peer.best_kind, {})
    shared = [theirs[turn] / mine[turn] for turn in theirs if turn in mine]
    return statistics.median(shared) if shared else None


def inputs(case):
    """Random arrays in the memory order of the case."""
    random = np.random.default_rng(7)

    def shaped(shape):
        return (shape[0], *shape[2:], shape[1]) if case.layout == "channels_last" else shape

    def draw(shape):
        if case.dtype == "u16":
            return random.integers(20_000, 45_000, shape, np.uint16)
        if case.dtype == "u8":
            # Away from black and white: whoever rounds to u8 between the passes cuts overshoot off there, in the order of the passes.
            return random.integers(80, 176, shape, np.uint8)
        return random.standard_normal(shape, np.float32)

    arrays = {"x": draw(shaped(case.input)), "dy": draw(shaped(case.output))}
    if case.operator == "conv_transpose":
        arrays |= {"weight": draw(case.weight_shape), "bias": draw(case.output[1:2])}
    return arrays


def result_shape(case):
    if case.operation == "weight_gradient":
        return case.weight_shape
    shape = case.output if case.operation == "forward" else case.input
    return (shape[0], *shape[2:], shape[1]) if case.layout == "channels_last" else shape


class Measurement:
    """A case on its way: prepare, check, time."""

    def __init__(self, case, engines, server, threads, folder):
        self.case, self.engines, self.server, self.threads, self.folder = case, engines, server, threads, folder
        self.arrays = inputs(case)
        files = {}
        for name, array in self.arrays.items():
            files[name] = str(pathlib.Path(folder) / name)
            array.tofile(files[name])
        self.request = {"files": files}
        self.calls, self.results = {}, {name: Result() for name in case.engines}

    def rust(self, names, **changes):
        """Prepares engines of the server: {name: calls or why not}."""
        numpy_type = {"f32": np.float32, "u16": np.uint16, "u8": np.uint8}[self.case.dtype]
        report = self.server.prepare(self.case.request(engines=list(names), **self.request, **changes))
        shape = result_shape(self.case)
        return {
            name: RustCalls(self.server, name, line["ready"], self.folder, shape, numpy_type) if "ready" in line else line["skipped"]
            for name, line in report.items()
        }

    def check(self):
        """Compares every output with this crate's under the convention of the engine; without it, with the first that there is."""
        references = {}
        conventions = {name: CONVENTIONS.get(name, {}) for name in self.case.engines}
        for name, convention in conventions.items():
            key = repr(convention)
            if key not in references:
                own = self.rust([OURS], **convention).get(OURS)
                references[key] = own.output() if isinstance(own, RustCalls) else None
        self.prepare()
        for name, calls in self.calls.items():
            if name in PRODUCTS:
                continue
            key, output = repr(conventions[name]), calls.output()
            if references[key] is None:
                references[key] = output
            self.compare(self.results[name], output, references[key])

    def compare(self, result, output, reference):
        difference = np.abs(output.astype(np.float64) - reference).max()
        if self.case.dtype in ("u8", "u16"):
            widened = self.case.linear_light or (self.case.picture and self.case.input[1] == 4)
            allowed = 0 if self.case.method == "nearest" else WIDENED_STEPS if widened else STEPS
            allowed *= 257 if self.case.dtype == "u16" else 1
        else:
            difference /= np.abs(reference).max()
            allowed = TOLERANCE[self.case.operator]
        result.difference, result.agrees = float(difference), bool(difference <= allowed)

    def prepare(self):
        for name in self.case.engines:
            if name in self.engines:
                try:
                    self.calls[name] = self.engines[name].prepare(self.case, self.arrays, self.threads)
                except Skip as why:
                    self.results[name].skipped = str(why)
            elif name in self.engines.missing:
                self.results[name].skipped = "not installed"
        for name, calls in self.rust([name for name in self.case.engines if name not in self.engines]).items():
            if isinstance(calls, str):
                self.results[name].skipped = calls
            else:
                self.calls[name] = calls

    def run(self, rounds):
        turns = [(name, kind) for name, calls in self.calls.items() for kind in ("allocated", "reused") if getattr(calls, kind)]
        for turn in range(rounds):
            # Each round begins with another engine, so that nobody always follows the same one.
            start = turn * 5 % len(turns)
            for name, kind in turns[start:] + turns[:start]:
                times = self.results[name].times.setdefault(kind, {})
                if turn % 3 and times and max(times.values()) > SLOW:
                    continue
                time.sleep(PAUSE)
                times[turn] = self.calls[name].round(kind, BUDGET)


def measure(case, engines, server, threads, rounds):
    """{engine: Result}"""
    with tempfile.TemporaryDirectory() as folder:
        measurement = Measurement(case, engines, server, threads, folder)
        measurement.check()
        measurement.run(rounds)
    return measurement.results


def own_result(results, peer):
    """This crate's result that a peer is held against: with prepared weights where the peer has them prepared too."""
    prepared = results.get(PREPARED)
    return prepared if peer in (ONNX, PREPARED) and prepared and prepared.times else results[OURS]


def verdicts(case, results):
    """(who, wanted, reached) for each ratio that must be reached and can be judged."""
    for rivals, wanted in case.must:
        ratios = {peer: ratio(results[peer], own_result(results, peer)) for peer in rivals if results[peer].times}
        ratios = {peer: value for peer, value in ratios.items() if value}
        if ratios:
            peer = min(ratios, key=ratios.get)
            yield peer, wanted, ratios[peer]
