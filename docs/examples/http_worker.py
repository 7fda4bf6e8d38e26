#!/usr/bin/env python3
"""A worker in plain HTTP: joins a coordinator, pulls tasks of the tool `command`, runs them, reports.

    http_worker.py URL --key-file KEY     the first start, with a key of `garageswarm key create`
    http_worker.py URL                    later starts: the credential lies in --state

It keeps no journal: killed in the middle of a run it has lost that run, and the coordinator gives the task to
the next worker. Python's standard library only, on Linux or macOS.
"""

import argparse, collections, json, os, platform, queue, signal, subprocess, sys, tempfile, threading, time
import urllib.error, urllib.request, uuid
from datetime import datetime, timezone

MAX_LINE = 16 * 1024  # bytes of one log line
MAX_RESULT = 256 * 1024  # characters of output that become the result


class Refused(Exception):
    """The coordinator said no, and will say so again: (status, what it said)."""


class Coordinator:
    def __init__(self, url, credential=None):
        self.base, self.credential = url.rstrip("/") + "/api/v1", credential

    def call(self, method, path, body=None, token=None, timeout=60):
        """One request. Faults that pass (network, 5xx, 429) are tried again until they have passed."""
        headers = {"Authorization": f"Bearer {token or self.credential}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        pause = 0.2
        while True:
            try:
                request = urllib.request.Request(self.base + path, data, headers, method=method)
                with urllib.request.urlopen(request, timeout=timeout) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code != 429:
                    raise Refused(error.code, f"{method} {path}: {error.read().decode(errors='replace')}") from None
            except (urllib.error.URLError, OSError, json.JSONDecodeError) as error:
                print(f"no answer ({error}); trying again", file=sys.stderr)
            time.sleep(pause)
            pause = min(2 * pause, 5)


class Run:
    """One attempt: the process, and what of its output the coordinator has."""

    def __init__(self, task):
        self.task, self.attempt = task, {"task_id": task["task_id"], "attempt": task["attempt"]}
        self.state = "running"  # then: cancelled, stale, timed out
        self.lines, self.output = queue.Queue(10_000), collections.deque(maxlen=2_000)  # a full queue holds the program up
        self.process = None

    def start(self, folder):
        given = self.task["input"]
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.process = subprocess.Popen(
            given["argv"], cwd=folder, env={**keep, **given.get("env", {})}, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        readers = [(self.read, (name, getattr(self.process, name))) for name in ("stdout", "stderr")]
        self.threads = [threading.Thread(target=target, args=args, daemon=True) for target, args in readers]
        threading.Thread(target=self.feed, args=(given.get("stdin") or "",), daemon=True).start()
        for thread in self.threads:
            thread.start()

    def feed(self, text):
        try:
            with self.process.stdin as stdin:
                stdin.write(text.encode())
        except BrokenPipeError:
            pass  # the program did not want all of it

    def read(self, stream, pipe):
        while line := pipe.readline(MAX_LINE // 4):  # no byte becomes more than four
            text = line.decode(errors="replace").rstrip("\n").replace("\0", "\ufffd")
            at = datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
            self.lines.put({"stream": stream, "text": text, "at": at})
            if stream == "stdout":
                self.output.append(text)

    def end(self, state):
        """Ends the whole process group: asked first, killed two seconds later."""
        if self.state == "running":
            self.state = state
            threading.Thread(target=self.kill, daemon=True).start()

    def kill(self):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            self.kill_rest(sign)
            time.sleep(2 if sign == signal.SIGTERM else 0)

    def kill_rest(self, sign=signal.SIGKILL):
        try:
            os.killpg(self.process.pid, sign)
        except (ProcessLookupError, PermissionError):
            pass  # nobody is left

    def outcome(self):
        result = {"text": "\n".join(self.output)[-MAX_RESULT:], "usage": {"cost_kind": "none"}}
        code = self.process.returncode
        record = {"tool": "command", "exit_code": code if code >= 0 else 128 - code}
        if self.state == "cancelled":
            ended = {"outcome": "cancelled", "partial": result}
        elif self.state == "timed out":
            ended = {"outcome": "failed", "class": "timed_out", "error": "it ran for too long", "partial": result}
        elif code != 0:
            ended = {"outcome": "failed", "class": "process_failed", "error": f"exit code {code}", "partial": result}
        else:
            ended = {"outcome": "completed", "result": result}
        return {**self.attempt, **ended, "record": record}


class Worker:
    def __init__(self, coordinator, worker_id):
        self.coordinator, self.path = coordinator, f"/workers/{worker_id}"
        self.boot_id, self.run, self.begun = str(uuid.uuid4()), None, threading.Event()

    def obey(self, reply):
        """What the coordinator says of the run in every answer."""
        run = self.run
        if run and run.attempt in reply.get("stale", []):
            run.end("stale")
        if run and run.attempt in reply.get("cancel", []):
            run.end("cancelled")

    def heartbeat(self):
        running = [self.run.attempt] if self.run else []
        reply = self.coordinator.call("POST", self.path + "/heartbeat", {"boot_id": self.boot_id, "running": running})
        self.obey(reply)
        # While something runs, this is where a cancel is heard of.
        return min(reply["heartbeat_ms"] / 1000, 1 if running else 20)

    def heartbeats(self):
        try:
            while True:
                self.begun.wait(self.heartbeat())
                self.begun.clear()
        except Refused as refused:
            print(f"the coordinator no longer wants this worker: {refused.args[1]}", file=sys.stderr)
            os.kill(os.getpid(), signal.SIGTERM)

    def report(self, **what):
        reply = self.coordinator.call("POST", self.path + "/report", what)
        self.obey(reply)
        return reply

    def pull(self):
        try:
            pulled = self.coordinator.call("GET", self.path + "/pull-task?wait_ms=20000")
        except Refused as refused:
            if refused.args[0] != 409:
                raise
            self.heartbeat()  # a coordinator that was started anew does not know us yet
            return
        if pulled["task"]:
            self.work(pulled["task"])

    def work(self, task):
        run = Run(task)
        if task["tool"] != "command" or task["input"]["kind"] != "command":
            refusal = {**run.attempt, "reason": "invalid_input", "detail": "this worker runs commands only"}
            return self.report(refused=[refusal])
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            try:
                run.start(folder)
            except OSError as error:
                failed = {**run.attempt, "outcome": "failed", "class": "tool_missing", "error": str(error)}
                return self.report(accepted=[run.attempt], results=[failed])
            self.run = run
            self.begun.set()  # from now on the heartbeats come often
            try:
                self.report(accepted=[run.attempt])
                self.follow(run)
            finally:
                run.kill_rest()
                self.run = None

    def follow(self, run):
        limit = run.task.get("limits", {}).get("wall_clock_ms")
        deadline, sent, more = time.monotonic() + limit / 1000 if limit else None, 0, True
        while more and run.state != "stale":
            if deadline and time.monotonic() > deadline:
                run.end("timed out")
            more = any(thread.is_alive() for thread in run.threads)
            if more and run.process.poll() is not None:
                run.kill_rest()  # what it left behind would hold the pipes open
            batch = [run.lines.get() for _ in range(min(run.lines.qsize(), 500))]
            more = more or not run.lines.empty()
            if batch:
                lines = [{"n": sent + n, **line} for n, line in enumerate(batch, 1)]
                self.report(logs=[{**run.attempt, "lines": lines}])
                sent += len(lines)
            elif more:
                time.sleep(0.05)
        run.process.wait()
        if run.state != "stale":
            self.report(results=[run.outcome()])


def join(url, key_file, state, name):
    """The credential: from an earlier start, or for a key."""
    if os.path.exists(state):
        with open(state) as file:
            return json.load(file)
    if not key_file:
        sys.exit("this machine has not joined: give a key with --key-file")
    with open(key_file) as file:
        key = file.read().strip()
    tools = [{"name": "command", "health": {"state": "ready"}}]
    machine = {"machine_id": uuid.uuid4().hex, "machine_name": name, "slots": 1, "tools": tools,
               "os": platform.system().lower().replace("darwin", "macos"), "arch": platform.machine(),
               "cpus": os.cpu_count(), "agent_version": "http-worker"}
    joined = Coordinator(url).call("POST", "/workers/register", machine, token=key)
    with os.fdopen(os.open(state, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(joined, file)
    return joined


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("url")
    arguments.add_argument("--key-file")
    arguments.add_argument("--state", default="http_worker.json")
    arguments.add_argument("--name", default=platform.node() or "http-worker")
    given = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        joined = join(given.url, given.key_file, given.state, given.name)
        worker = Worker(Coordinator(given.url, joined["credential"]), joined["worker_id"])
        worker.heartbeat()  # the first one says that we are here
        threading.Thread(target=worker.heartbeats, daemon=True).start()
        print(f"worker {joined['worker_id']} pulls tasks", file=sys.stderr)
        while True:
            worker.pull()
    except Refused as refused:
        sys.exit(refused.args[1])
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
