"""The results as Markdown."""

import itertools

from cases import AVX2, OURS, PLANNING, PREPARED, PRODUCTS
from measure import own_result, ratio, verdicts


def milliseconds(nanoseconds):
    value = nanoseconds / 1e6
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def own_cell(result):
    """reused / allocated"""
    if not result.times:
        return result.skipped or "–"
    return " / ".join(milliseconds(result.median(kind)) for kind in ("reused", "allocated") if kind in result.times)


def peer_cell(case, results, peer):
    """Time and ratio. A star: into a new output at every call, and so is this crate's time in the ratio."""
    result = results.get(peer)
    if result is None or not result.times:
        return "–"
    star = "" if result.best_kind == "reused" else "\\*"
    factor = ratio(result, own_result(results, peer))
    cell = milliseconds(result.median(result.best_kind)) + star + (f" ({factor:.1f}×)" if factor else "")
    return cell if result.agrees else f"{cell} ≠"


def must_cell(case, results, share):
    words = [f"{wanted:g}× {peer} {mark(reached >= wanted)}" for peer, wanted, reached in verdicts(case, results)]
    if case.bus and share:
        words.append(f"{case.bus:.0%} of the bus {mark(share >= case.bus)}")
    return ", ".join(words)


def mark(reached):
    return "✓" if reached else "✗"


def bus_share(case, results, hardware):
    """The share of the copy bandwidth, streaming where there is such a thing, that this crate reaches."""
    result = results[OURS]
    if not result.times or case.operator != "resize":
        return None
    return case.bytes_moved / (result.median(result.best_kind) / 1e9) / (hardware["streaming"] or hardware["plain"])


def operations_cell(case, result, hardware):
    """GFLOP/s and the share of the peak."""
    if result is None or not result.times:
        return "–"
    rate = case.operations / result.median(result.best_kind)
    return f"{rate:.0f} ({rate * 1e9 / hardware['multiply']:.0%})"


def tables(measured, hardware):
    """`measured`: [(case, threads, results)]; `hardware`: {threads: {plain, streaming, multiply}}."""
    for group, rows in itertools.groupby(measured, key=lambda row: row[0].group):
        rows = list(rows)
        resize = rows[0][0].operator == "resize"
        yield f"\n### {group}\n"
        yield from (resize_table if resize else convolution_table)(rows, hardware)


def peers_of(rows):
    """Every peer that ran at least one of the rows, in the order of the case table."""
    named = dict.fromkeys(peer for case, _, results in rows for peer in case.peers if results[peer].times)
    return list(named)


def header(columns):
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "|".join(["---"] * len(columns)) + "|"


def resize_table(rows, hardware):
    peers = peers_of(rows)
    own = [name for name in (PLANNING, AVX2) if name in rows[0][0].engines]
    yield from header(["case", "threads", f"{OURS}, ms", "of the bus", *own, *peers, "at least"])
    for case, threads, results in rows:
        share = bus_share(case, results, hardware[threads])
        cells = [case.name, str(threads), own_cell(results[OURS]), f"{share:.0%}" if share else "–"]
        cells += [own_cell(results[name]) if name in results else "–" for name in own]
        cells += [peer_cell(case, results, peer) for peer in peers]
        yield "| " + " | ".join([*cells, must_cell(case, results, share)]) + " |"


def convolution_table(rows, hardware):
    peers = peers_of(rows)
    products = [f"{name}, GFLOP/s" for name in PRODUCTS]
    yield from header(["case", "threads", f"{OURS}, ms", "prepared, ms", "GFLOP/s (of peak)", *peers, *products, "at least"])
    for case, threads, results in rows:
        prepared = results.get(PREPARED)
        fastest = prepared if prepared and prepared.times else results[OURS]
        cells = [case.name, str(threads), own_cell(results[OURS]), own_cell(prepared) if prepared else ""]
        cells += [operations_cell(case, fastest, hardware[threads]), *(peer_cell(case, results, peer) for peer in peers)]
        cells += [operations_cell(case, results.get(name), hardware[threads]) for name in PRODUCTS]
        yield "| " + " | ".join([*cells, must_cell(case, results, None)]) + " |"
