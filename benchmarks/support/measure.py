"""Time, memory and the table of results."""

import re
import statistics
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

#: Ticks of /proc are hundredths of a second on every Linux we know.
_TICK = 100


class Clock:
    """Wall time, and processor time of this process and of its database server.

    The second is what is compared: it says what a path costs whatever else the
    machine is doing. The work of client and server is added up, also where the two
    overlap on different cores.
    """

    def __init__(self, cr):
        self.pid = cr._cnx.info.backend_pid

    def server(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def read(self):
        return time.perf_counter(), time.process_time() + self.server()


class Times:
    """Named measurements per row: ``{name: [(wall, processor), ...]}``."""

    def __init__(self, cr):
        self.cr = cr
        self.clock = Clock(cr)
        self.taken = defaultdict(list)

    @contextmanager
    def measure(self, name, rows=1, keep=True):
        wall, processor = self.clock.read()
        yield
        if keep:
            self.cr.commit()
        wall_end, processor_end = self.clock.read()
        self.taken[name].append(
            ((wall_end - wall) / rows, (processor_end - processor) / rows)
        )

    def processor(self, name):
        """Processor seconds per row, median."""
        return statistics.median(cost for _wall, cost in self.taken[name])

    def wall(self, name):
        """Wall seconds per row, the least disturbed round."""
        return min(wall for wall, _cost in self.taken[name])


class Profile:
    """Processor time of each statement of the server while it is active."""

    def __init__(self, cr, clock):
        self.cr = cr
        self.clock = clock
        self.cost = defaultdict(float)

    @contextmanager
    def record(self):
        plain = type(self.cr).execute

        def execute(cursor, query, params=None, log_exceptions=True):
            before = self.clock.server()
            try:
                return plain(cursor, query, params, log_exceptions=log_exceptions)
            finally:
                label = self.label(getattr(query, "code", None) or str(query))
                self.cost[label] += self.clock.server() - before

        type(self.cr).execute = execute
        client, server = time.process_time(), self.clock.server()
        try:
            yield
        finally:
            type(self.cr).execute = plain
            self.cost["Python: read the file, parse it"] = time.process_time() - client
            spent = self.clock.server() - server
            known = (
                sum(self.cost.values()) - self.cost["Python: read the file, parse it"]
            )
            self.cost["COPY, and what is left"] = max(0, spent - known)

    @staticmethod
    def label(query):
        text = " ".join(query.split())
        found = re.search(
            r"CREATE TEMPORARY TABLE (\w+)|(INSERT INTO \w+)|(UPDATE \w+)|^(\w+)", text
        )
        made, *others = found.groups()
        if made:
            return f"make {made}"
        return next(other for other in others if other)

    def share(self, unit, *beginnings):
        """What the steps that begin so cost together, as a multiple of ``unit``."""
        return (
            sum(
                cost
                for label, cost in self.cost.items()
                if label.startswith(beginnings)
            )
            / unit
        )

    def table(self, unit):
        """Markdown of what costs more than a hundredth, largest first."""
        whole = sum(self.cost.values())
        rows = [
            f"| {label} | {cost:.2f} | {cost / unit:.2f} |"
            for label, cost in sorted(self.cost.items(), key=lambda item: -item[1])
            if cost > whole / 100
        ]
        return "\n".join(
            [
                "| step | processor s | x the floor |",
                "|---|---:|---:|",
                *rows,
                f"| all | {whole:.2f} | {whole / unit:.2f} |",
            ]
        )


class Results:
    """Rows of a table: path, measured, goal, and whether it is met."""

    def __init__(self):
        self.rows = []

    def add(self, name, value, goal="", met=None):
        self.rows.append(
            (name, str(value), goal, {True: "yes", False: "**no**"}.get(met, ""))
        )
        print(f"    {name}: {value} {goal and f'(goal {goal})'}", flush=True)

    def markdown(self):
        return "\n".join(
            ["| path | measured | goal | met |", "|---|---|---|---|"]
            + [f"| {' | '.join(row)} |" for row in self.rows]
        )


def reset_peak():
    """Forget the peak of resident memory; return what is resident now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak():
    """Peak of resident memory since :func:`reset_peak`, in MB."""
    return _status("VmHWM")


def _status(name):
    text = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+)", text).group(1)) / 1024
