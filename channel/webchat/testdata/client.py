"""A client of the web-chat protocol, written from PROTOCOL.md alone. It plays a
customer by a script and prints what was said, as JSON lines.

    python3 client.py BASE ACCOUNT
"""
import json
import random
import secrets
import sys
import threading
import time
import urllib.error
import urllib.request


class Refused(Exception):
    def __init__(self, status, code, after):
        super().__init__(f"{status} {code}")
        self.status, self.code, self.after = status, code, after


def key():
    return secrets.token_urlsafe(16)


class Client:
    def __init__(self, base, account, lang):
        self.url = f"{base}/v1/{account}"
        self.lang = lang
        self.token = None
        self.page = key()
        self.shown = {}  # message id -> the newest form
        self.order = []  # ids in the order in which they came first
        self.place = None  # (conversation, seq)
        self.state, self.available, self.typed = {}, None, 0
        self.changed = threading.Condition()
        self.stream, self.over = None, False

    def request(self, method, path, body=None, headers=None, timeout=45):
        headers = dict(headers or {})
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        if body is not None and not isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        r = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            return urllib.request.urlopen(r, timeout=timeout)
        except urllib.error.HTTPError as e:
            with e:
                try:
                    code = json.load(e)["error"]
                except (ValueError, KeyError):
                    code = ""
                raise Refused(e.code, code, int(e.headers.get("Retry-After", 0))) from None

    def insist(self, method, path, body=None, headers=None):
        """Repeats until there is an answer: keys make that harmless."""
        for n in range(20):
            try:
                with self.request(method, path, body, headers) as r:
                    raw = r.read()
                    return json.loads(raw) if r.headers.get_content_type() == "application/json" else raw
            except Refused as e:
                if e.status != 429 and e.status < 500:
                    raise
                after = e.after
            except OSError:
                after = 0
            time.sleep(max(after, min(10, 0.2 * 2**n)) * random.uniform(0.75, 1.25))
        raise TimeoutError(path)

    def session(self, consent=None):
        s = self.insist("POST", f"/session?lang={self.lang}", {"consent": consent} if consent else {})
        self.token, self.state = s["token"], s["state"]

    def say(self, **what):
        what["key"] = key()
        first = self.insist("POST", f"/messages?lang={self.lang}", what)
        again = self.insist("POST", f"/messages?lang={self.lang}", what)
        assert first["id"] == again["id"], "a repeat under the same key is one message"
        return first

    def upload(self, name, data):
        return self.insist("POST", "/files", data, {"X-File-Name": urllib.request.quote(name), "Content-Type": "application/octet-stream"})

    def take(self, m):
        with self.changed:
            self.place = (m["conversation"], m["seq"])
            old = self.shown.get(m["id"])
            if old is None:
                self.order.append(m["id"])
            if old is None or old["conversation"] != m["conversation"] or old["seq"] <= m["seq"]:
                self.shown[m["id"]] = m
            self.changed.notify_all()

    def history(self):
        more = True
        while more:
            at = f"?conversation={self.place[0]}&after={self.place[1]}" if self.place else ""
            page = self.insist("GET", "/messages" + at)
            for m in page["messages"]:
                self.take(m)
            more = page["more"]

    def event(self, name, data):
        if name == "message":
            self.take(data)
            return
        with self.changed:
            if name == "state":
                self.state = data
            elif name == "available":
                self.available = data
            elif name == "typing":
                self.typed += 1
            self.changed.notify_all()

    def follow(self):
        while not self.over:
            headers = {"Accept": "text/event-stream"}
            if self.place:
                headers["Last-Event-ID"] = f"{self.place[0]}/{self.place[1]}"
            try:
                with self.request("GET", f"/events?page={self.page}", headers=headers) as self.stream:
                    name = data = ""
                    for line in self.stream:
                        line = line.decode().rstrip("\n")
                        field, _, value = line.partition(": ")
                        if field == "event":
                            name = value
                        elif field == "data":
                            data = value
                        elif not line and name:
                            self.event(name, json.loads(data))
                            name = data = ""
            except (Refused, OSError, ValueError, AttributeError):
                pass
            time.sleep(random.uniform(0.05, 0.3))

    def listen(self):
        threading.Thread(target=self.follow, daemon=True).start()

    def wait(self, what, fits):
        with self.changed:
            assert self.changed.wait_for(fits, 40), f"never came: {what}; state {self.state}, shown {self.lines()}"

    def heard(self, text):
        self.wait(text, lambda: any(m.get("text") == text and not m["mine"] for m in self.shown.values()))
        return next(m for m in self.shown.values() if m.get("text") == text and not m["mine"])

    def lines(self):
        return [("me: " if self.shown[i]["mine"] else "desk: ") + (self.shown[i].get("text") or self.shown[i]["kind"]) for i in self.order]


def main():
    c = Client(sys.argv[1], sys.argv[2], "ko")
    config = c.insist("GET", "?lang=ko")
    try:
        c.session()
        raise AssertionError("a session without consent")
    except Refused as e:
        assert e.code == "consent_required", e.code
    c.session(config["consent"]["version"])
    c.history()
    c.listen()
    c.say(text="이 모자 파란색 있나요?")
    c.heard("안녕하세요!")
    c.wait("Mina", lambda: c.state.get("agent") == "Mina")
    c.insist("POST", "/typing", {})
    offer = c.heard("네, 있습니다. 어느 크기로 드릴까요?")
    c.wait("writing", lambda: c.typed > 0)
    c.wait("that it was read", lambda: c.state.get("read", 0) >= 1)
    assert [x["label"] for x in offer["choices"]] == ["M", "L", "치수표"]
    said = c.say(choice={"message": offer["id"], "index": 0})
    assert said["text"] == "M으로 주세요", said
    text = "고객님의 메모".encode()
    up = c.upload("메모.txt", text)
    assert up["name"] == "메모.txt" and up["size"] == len(text), up
    m = c.say(file=up["file"])
    assert c.insist("GET", "/files/" + m["id"]) == text
    done = c.heard("펠트 모자 한 개 담아 두었습니다.")
    c.insist("POST", "/read", {"conversation": done["conversation"], "seq": done["seq"]})
    c.insist("POST", "/end", {"key": key()})
    c.wait("the end", lambda: c.state.get("conversation") and not c.state["open"])
    assert c.state["ended_by"] == "customer", c.state
    c.insist("POST", "/rating", {"key": key(), "score": 4, "comment": "친절했어요"})
    c.over = True
    again = Client(sys.argv[1], sys.argv[2], "ko")  # started anew, with what it kept
    again.token = c.token
    again.session()
    again.history()
    assert again.lines() == c.lines(), (again.lines(), c.lines())
    assert again.state["rated"], again.state
    print("\n".join(json.dumps(line, ensure_ascii=False) for line in c.lines()))


main()
