#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The page for people: html_page.py WMSCOPE PCAPS

Its markup is whole and fetches nothing, its policy allows its own script and style and no other, its
counts are those of the JSON Lines, and names that try to break out of it stay text. Then the page is
spoilt on purpose, and each check must see it.
"""
import base64
import hashlib
import html.parser
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile

CAPTURES = ("sni-rst-onpath/client.pcap", "sni-drop/client.pcap", "residual-3tuple-rst/client.pcap",
            "dns-onpath/client.pcap", "page-onpath/client.pcap", "quic-sni-drop/client.pcap",
            "sni-rst-inpath-v6/client.pcap", "fetch-tls/client.pcap", "half-open-scan/client.pcap")
VOID = {"meta", "input", "br"}
TAGS = VOID | set(
    "html head title style body header nav main section article h1 h2 h3 h4 p ul li a b span bdi dl div "
    "dt dd table caption thead tbody tr th td details summary figure figcaption code time svg text "
    "script line rect circle path".split())
ATTRIBUTES = set(
    "lang charset http-equiv content name class id href aria-label aria-labelledby aria-hidden scope "
    "role tabindex open data-verdict data-n data-time data-count datetime viewbox x y x1 x2 y1 y2 cx cy "
    "r d width height text-anchor transform".split())
UPSETTING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
# As long as what they take the place of, b"blocked", so that no length in a packet has to change.
EVIL = (b"<script", b"\"onx='&", b"\xe2\x80\xae<b>\"", b"\xff\x00\x1b]0;<", b"</style", b"--><i x")


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.tags, self.ids = [], [], [], []
        self.texts, self.blocks = [], {"script": "", "style": ""}
        self.feed(text)
        self.close()
        if self.open:
            self.wrong.append(f"never closed: {self.open}")

    def handle_starttag(self, tag, attrs):
        if tag not in TAGS:
            self.wrong.append(f"<{tag}> is none of ours")
        for name, value in attrs:
            if name not in ATTRIBUTES:
                self.wrong.append(f"<{tag} {name}> is none of ours")
            if name == "href" and not value.startswith("#"):
                self.wrong.append(f"a link out of the page: {value}")
            if name == "id":
                self.ids.append(value)
        self.tags.append((tag, dict(attrs), len(self.texts)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        if self.open and self.open[-1] in self.blocks:
            self.blocks[self.open[-1]] += data
        else:
            self.texts.append(data)

    def handle_comment(self, data):
        self.wrong.append(f"a comment: {data[:40]}")

    def text_after(self, index):
        return self.texts[self.tags[index][2]].strip()


def check_policy(page):
    policies = [a["content"] for t, a, _ in page.tags
                if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    if len(policies) != 1:
        return f"{len(policies)} policies"
    rules = dict(r.strip().split(" ", 1) for r in policies[0].split(";"))
    if rules.get("default-src") != "'none'":
        return "the policy lets something in"
    for kind in ("script", "style"):
        digest = hashlib.sha256(page.blocks[kind].encode()).digest()
        want = f"'sha256-{base64.b64encode(digest).decode()}'"
        if rules.get(f"{kind}-src") != want:
            return f"the {kind} is {want}, the policy has {rules.get(kind + '-src')}"
        if sum(t == kind for t, _, _ in page.tags) != 1:
            return f"more than one {kind}"
    return None


def check_markup(text):
    page = Page(text)
    wrong = page.wrong[:3]
    plain = "".join(page.texts) + "\n".join(str(v) for _, a, _ in page.tags for v in a.values())
    if m := UPSETTING.search(plain):
        wrong.append(f"{m[0]!r} after {plain[:m.start()][-60:]!r}")
    if m := re.search(r"(?i)(https?:)?//[a-z0-9]|@import|url\(|javascript:", page.blocks["style"] +
                      page.blocks["script"].replace("http://www.w3.org/2000/svg", "")):
        wrong.append(f"something to fetch: {m[0]}")
    twice = {i for i in page.ids if page.ids.count(i) > 1}
    if twice:
        wrong.append(f"ids given twice: {sorted(twice)}")
    links = {a["href"][1:] for t, a, _ in page.tags if t == "a"}
    if links - set(page.ids):
        wrong.append(f"links to nowhere: {links - set(page.ids)}")
    if why := check_policy(page):
        wrong.append(why)
    return page, wrong


def check_counts(page, events):
    wrong = []
    run = next(e["run"] for e in events if e["event_type"] == "run")
    findings = [e["finding"] for e in events if e["event_type"] == "finding"]
    triggers = [e["trigger"] for e in events if e["event_type"] == "trigger"]
    boxes = sum(e["event_type"] == "profile" for e in events)

    def same(what, seen, want):
        if seen != want:
            wrong.append(f"{what}: {seen}, JSON Lines say {want}")

    for i, (tag, attrs, _) in enumerate(page.tags):
        if tag == "li" and "data-count" in attrs:
            seen = int(page.text_after(i).replace(",", ""))
            same(attrs["data-count"], seen, run["flows"][attrs["data-count"]])
    groups = [a for t, a, _ in page.tags if t == "details" and a.get("class") == "group"]
    same("findings in groups", sum(int(a["data-n"]) for a in groups), len(findings))
    same("boxes", sum(t == "details" and a.get("class") == "box" for t, a, _ in page.tags), boxes)
    same("filtered names", sum(t.strip() == "\u25cf filtered" for t in page.texts),
         sum(t["filtered"] for t in triggers))
    shown = sum(t == "article" and a.get("id", "").startswith("finding-") for t, a, _ in page.tags)
    if not min(len(groups), 1) <= shown <= len(findings):
        wrong.append(f"{shown} findings in full of {len(findings)}")
    words = " ".join(page.texts)
    for f in findings:
        if f["id"] not in words or family_missing(f, words):
            wrong.append(f"{f['id']} is not on the page")
    return wrong


def family_missing(finding, words):
    return len({finding["family"]} - set(re.findall(r"[a-z-]+", words))) != 0


def analyze(wmscope, path, folder):
    page, lines = os.path.join(folder, "r.html"), os.path.join(folder, "r.jsonl")
    status = subprocess.run([wmscope, "analyze", "--quiet", "--no-ndpi", "--html", page, "--jsonl",
                             lines, path], check=False).returncode
    if status not in (0, 1, 5):
        return None, None, [f"exit {status}"]
    with open(lines, encoding="utf-8") as f:
        events = [json.loads(line) for line in f]
    with open(page, encoding="utf-8") as f:
        return f.read(), events, []


def compare(wmscope, pcaps, folder):
    """The page on two captures of one path: what is wrong with it."""
    page = os.path.join(folder, "compare.html")
    ends = [os.path.join(pcaps, "sni-rst-onpath", end + ".pcap") for end in ("client", "server")]
    subprocess.run([wmscope, "compare", "--quiet", "--html", page, *ends], check=False)
    with open(page, encoding="utf-8") as f:
        page, wrong = check_markup(f.read())
    return wrong + [f"no {w!r}" for w in ("Injected", "two-sided-reset") if w not in page.texts]


def prove(text, events):
    """A page spoilt in any of these ways is found out."""
    spoilt = {
        "foreign script": text.replace("</main>", "<script>1</script></main>"),
        "changed script": text.replace('"use strict"', '"use sloppy"'),
        "changed style": text.replace("</style>", "x{}</style>"),
        "handler": text.replace("<h1 ", "<h1 onclick=x "),
        "link": text.replace('href="#findings"', 'href="https://example.org/"'),
        "image": text.replace("</header>", "<img></header>"),
        "unclosed": text.replace("</dl>", "", 1),
        "no policy": text.replace("Content-Security-Policy", "X"),
        "turned text": text.replace("</h1>", "\u202e</h1>"),
    }
    for name, page in spoilt.items():
        assert page != text and check_markup(page)[1], f"{name} was not found"
    counted = re.sub(r'data-n="(\d+)"', lambda m: f'data-n="{int(m[1]) + 1}"', text, count=1)
    assert check_counts(Page(counted), events), "a wrong count was not found"
    counted = re.sub(r'(data-count="confirmed"><b>)\d+', r"\g<1>77", text)
    assert check_counts(Page(counted), events), "a wrong number of connections was not found"


def evil_captures(pcaps, folder):
    for source in ("sni-rst-onpath/client.pcap", "dns-onpath/client.pcap",
                   "host-rst-onpath/client.pcapng", "quic-sni-drop/client.pcap"):
        with open(os.path.join(pcaps, source), "rb") as f:
            data = f.read()
        for number, name in enumerate(EVIL):
            path = os.path.join(folder, f"{number}-<img src=x>&\"' {os.path.basename(source)}")
            with open(path, "wb") as f:
                f.write(data.replace(b"blocked", name))
            yield path
            os.remove(path)


def main():
    wmscope, pcaps = sys.argv[1:]
    bad = n = names = 0
    with tempfile.TemporaryDirectory() as folder:
        for why in compare(wmscope, pcaps, folder):
            bad += 1
            print(f"compare: {why}")
        paths = [os.path.join(pcaps, c) for c in CAPTURES]
        for path in itertools.chain(paths, evil_captures(pcaps, folder)):
            text, events, wrong = analyze(wmscope, path, folder)
            if text is not None:
                page, wrong = check_markup(text)
                wrong += check_counts(page, events)
                names += any(w in t for t in page.texts for w in ("<script", "</style", "--><i x"))
            if path == paths[0] and not wrong:
                prove(text, events)
            n += 1
            bad += bool(wrong)
            for why in wrong:
                print(f"{os.path.relpath(path, pcaps)}: {why}")
    if names < 6:
        bad += 1
        print(f"hostile names were on {names} pages only: the test tests too little")
    print(f"{n} pages, {bad} wrong")
    return 1 if bad or n == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
