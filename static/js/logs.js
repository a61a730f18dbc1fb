// [data-logs]: what an instance writes, as it writes it. What the page came with is replaced by the stream's own tail,
// so that no line is missing between both.

const MOST_LINES = 5000;
const PATIENCE = 2000;
// Colours and cursor movements, which nothing here follows.
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

const box = document.querySelector("[data-logs]");
const status = document.querySelector("[data-logs-state]");
const pause = document.querySelector("[data-logs-pause]");
let source = null;
let lines = [];
let waiting = [];
let fresh = true;
let drawn = 0;

const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 24;
const toEnd = () => { box.scrollTop = box.scrollHeight; };

function say(state, text) {
  status.dataset.state = state;
  status.textContent = text;
}

function draw() {
  drawn = 0;
  const follows = isAtEnd();
  if (fresh) lines = [];
  fresh = false;
  lines.push(...waiting);
  waiting = [];
  if (lines.length > MOST_LINES) lines = lines.slice(-MOST_LINES);
  box.textContent = lines.length ? `${lines.join("\n")}\n` : box.dataset.empty;
  if (follows) toEnd();
}

function connect() {
  if (source) return;
  fresh = true;
  source = new EventSource(box.dataset.logs);
  say("wait", "Connecting");
  source.addEventListener("open", () => {
    say("open", "Live");
    drawn ||= requestAnimationFrame(draw);
  });
  source.addEventListener("message", ({ data }) => {
    waiting.push(data.replace(ESCAPES, ""));
    drawn ||= requestAnimationFrame(draw);
  });
  source.addEventListener("end", () => {
    disconnect();
    say("", "Ended");
  });
  source.addEventListener("error", () => {
    if (source?.readyState !== EventSource.CLOSED) return say("lost", "Reconnecting…");
    disconnect();
    say("refused", "Not connected");
    setTimeout(() => document.hidden || isPaused() || connect(), PATIENCE);
  });
}

function disconnect() {
  source?.close();
  source = null;
}

const isPaused = () => pause.getAttribute("aria-pressed") === "true";

if (box) {
  toEnd();
  status.hidden = pause.hidden = false;
  connect();
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(!isPaused()));
    if (isPaused()) {
      disconnect();
      say("paused", "Paused");
    } else connect();
  });
  document.addEventListener("visibilitychange", () => {
    if (isPaused()) return;
    if (document.hidden) disconnect();
    else connect();
  });
  // A start writes anew what had ended.
  document.body.addEventListener("live-workspaces", () => isPaused() || source || setTimeout(connect, PATIENCE));
  window.addEventListener("pagehide", disconnect);
}
