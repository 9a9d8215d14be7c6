"""The Rust half: builds it and talks to it."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
MANIFEST = HERE / "rust" / "Cargo.toml"
TARGET = HERE.parent.parent / "target" / "peers"


def build():
    """Compiles the server (the peers take some minutes the first time) and gives its path."""
    command = ["cargo", "build", "--release", "--manifest-path", str(MANIFEST), "--target-dir", str(TARGET)]
    print("building benches/peers/rust ...", file=sys.stderr)
    subprocess.run(command, check=True, stdout=sys.stderr)
    return TARGET / "release" / "upsample-peers"


def versions():
    """The versions of the Rust peers, from the manifest's own lock file."""
    lines = (HERE / "rust" / "Cargo.lock").read_text().splitlines()
    pairs = zip(lines, lines[1:])
    found = {name[8:-1]: version[11:-1] for name, version in pairs if name.startswith('name = "') and version.startswith('version = "')}
    return {name.replace("-core", ""): found[name] for name in ("fast_image_resize", "pic-scale", "candle-core", "burn-flex", "gemm", "matrixmultiply")}


class Server:
    """One process with a fixed number of threads."""

    def __init__(self, program, threads):
        count = str(threads)
        environment = os.environ | {"RAYON_NUM_THREADS": count, "MATMUL_NUM_THREADS": count}
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, request):
        print(request, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().strip()
        if not answer or answer.startswith("error"):
            raise RuntimeError(f"{request[:40]}: {answer or 'the server died'}")
        return answer

    def prepare(self, request):
        """{engine: {"ready": {"allocated": .., "reused": ..}} or {"skipped": why}}"""
        return json.loads(self.ask("prepare " + json.dumps(request)))

    def copy(self, kind):
        """Bytes read and written a second, or None."""
        answer = self.ask(f"copy {kind}")
        return None if answer == "none" else float(answer)

    def multiply(self):
        return float(self.ask("multiply"))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class RustCalls:
    """An engine of the server, with the face of `engines.Calls`."""

    def __init__(self, server, name, ready, folder, shape, dtype):
        self.server, self.name, self.file = server, name, pathlib.Path(folder) / "output"
        self.allocated, self.reused = ready["allocated"], ready["reused"]
        self.output = lambda: (server.ask(f"output {name} {self.file}"), np.fromfile(self.file, dtype).reshape(shape))[1]

    def round(self, into, budget):
        return int(self.server.ask(f"round {self.name} {into} {budget}"))
