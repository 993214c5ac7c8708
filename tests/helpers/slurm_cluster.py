"""A SLURM cluster of one node, as ordinary processes on loopback, for as long as a test runs.

Nothing of the machine is changed: configuration, keys, sockets, logs and state stand in a temporary
folder, the ports are free ones, and what was started is ended by its own process ids.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

#: Where Debian has the daemons, which may not be in a user's path.
_PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "setpriv")
#: The node claims more than the machine may have: what runs at once is bounded by the test.
_CONFIGURATION = """\
ClusterName=fibroserum
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_min_interval=100000,bf_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
MinJobAge=86400
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 State=UNKNOWN
PartitionName=batch Nodes=one Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Return in words why no cluster can be started on this machine; empty where one can."""
    absent = [name for name in _PROGRAMS if shutil.which(name, path=_PLACES) is None]
    if absent:
        return f"{', '.join(absent)} not found (Debian: slurm-wlm, munge)"
    return "" if os.geteuid() == 0 else "a cluster of its own needs root"


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@dataclass
class Cluster:
    """A running cluster: its folder, and the environment in which SLURM's commands find it."""

    folder: Path
    environment: dict[str, str]
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ask(self, *command: str) -> str:
        """Return what one of SLURM's commands prints; raise CalledProcessError where it fails."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.strip()

    def jobs(self) -> list[dict[str, str]]:
        """Return id, state, memory, cores and comment of every job, also of ended ones."""
        printed = self.ask("squeue", "--states=all", "--noheader", "--format=%i|%T|%m|%C|%k")
        rows = sorted((line.split("|") for line in printed.splitlines()), key=lambda r: int(r[0]))
        names = ("id", "state", "memory", "cores", "comment")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def logs(self) -> str:
        """Return the ends of the daemons' logs, for the message of a test that failed."""
        return "\n".join(
            f"{path.name}: {path.read_text(errors='replace')[-3000:]}"
            for path in sorted(self.folder.glob("*.log"))
        )

    def start(self, *command: str) -> None:
        """Start a daemon in the foreground; the kernel ends it if this process dies before it."""
        with (self.folder / f"{command[0]}.out.log").open("wb") as said:
            program = shutil.which(command[0], path=_PLACES) or command[0]
            self.daemons.append(
                subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", program, *command[1:]],
                    env=self.environment,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )

    def wait_for(self, *command: str, until: str, seconds: float = 300) -> None:
        """Wait until a command prints a text; raise RuntimeError with the logs if it does not."""
        deadline, ended = time.monotonic() + seconds, []
        while time.monotonic() < deadline:
            ended = [daemon.args for daemon in self.daemons if daemon.poll() is not None]
            if ended:
                break
            try:
                if until in self.ask(*command):
                    return
            except (subprocess.SubprocessError, OSError):
                # not yet: said below, with the logs, if it stays so
                pass
            time.sleep(0.2)
        raise RuntimeError(f"the cluster did not start ({ended} ended)\n{self.logs()}")

    def own_processes(self) -> list[int]:
        """Return the processes that were started in this cluster's environment, by their ids."""
        mark = f"SLURM_CONF={self.environment['SLURM_CONF']}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                # it has ended meanwhile
                continue
        return [pid for pid in found if pid != os.getpid()]

    def stop(self) -> None:
        """End jobs and daemons, by their process ids; what does not end at once is killed."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + 10
            for pid in self.own_processes():
                _signal(pid, how)
            while self.own_processes() and time.monotonic() < deadline:
                for daemon in self.daemons:
                    daemon.poll()
                time.sleep(0.1)
        for daemon in self.daemons:
            daemon.wait(timeout=10)


def _signal(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Give a cluster of one node, `one`, with one partition, `batch`, and no accounting."""
    # a short path, because sockets have no long ones
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        folder = Path(name)
        for part in ("state", "spool"):
            (folder / part).mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        controller, node = _free_ports()
        conf = folder / "slurm.conf"
        conf.write_text(
            _CONFIGURATION.format(
                folder=folder, host=platform.node().split(".")[0], controller=controller, node=node
            )
        )
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_", "SRUN_"))
        }
        # a job's step is started in an environment without SLURM's variables: srun is told so
        srun = folder / "bin" / "srun"
        srun.parent.mkdir()
        program = shutil.which("srun", path=_PLACES)
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {program} "$@"\n')
        srun.chmod(0o755)
        path = os.pathsep.join([str(srun.parent), _PLACES])
        one = Cluster(folder, kept | {"SLURM_CONF": str(conf), "PATH": path})
        try:
            one.start(
                *("munged", "--foreground", "--force", "--num-threads=2"),
                *(f"--socket={folder}/munge.socket", f"--key-file={key}"),
                *(f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log"),
                f"--seed-file={folder}/munged.seed",
            )
            one.wait_for("munge", f"--socket={folder}/munge.socket", "--no-input", until="MUNGE:")
            one.start("slurmctld", "-D", "-c", "-f", str(conf))
            one.start("slurmd", "-D", "-N", "one", "-f", str(conf))
            one.wait_for("sinfo", "--noheader", "--format=%T", until="idle")
            yield one
        finally:
            one.stop()
