// A terminal in a workspace or a service: xterm.js at one end of a WebSocket, a shell at the other.
//
// Binary messages are bytes of the terminal, in both directions. Text messages are JSON: {"type": "resize", "columns",
// "rows"} from here; {"type": "exit"} and {"type": "error", "detail"} from there.

import { Terminal } from "../vendor/xterm/xterm.mjs";
import { FitAddon } from "../vendor/xterm/addon-fit.mjs";

const box = document.querySelector("[data-terminal]");
const status = document.querySelector("[data-terminal-state]");
const again = document.querySelector("[data-terminal-again]");
const reader = document.querySelector("[data-terminal-reader]");
const NONCE = document.querySelector("script[data-terminal-script]").nonce;
const encoder = new TextEncoder();

const look = () => {
  const said = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const probe = document.createElement("span");
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = said(name);
    return getComputedStyle(probe).color; // light-dark() becomes one of both
  };
  const theme = {
    background: colour("--sunken"),
    foreground: colour("--text"),
    cursor: colour("--accent"),
    cursorAccent: colour("--sunken"),
    selectionBackground: colour("--accent-soft"),
    selectionForeground: colour("--text"),
    red: colour("--bad"), brightRed: colour("--bad-strong"),
    green: colour("--good"), brightGreen: colour("--good"),
    yellow: colour("--warn"), brightYellow: colour("--warn"),
    blue: colour("--accent"), brightBlue: colour("--accent-strong"),
    black: colour("--line"), brightBlack: colour("--text-soft"),
    white: colour("--text-soft"), brightWhite: colour("--text"),
  };
  probe.remove();
  return theme;
};

// xterm.js writes a colour beyond the palette into a style attribute of a span, which the policy refuses; as a property
// it passes.
HTMLSpanElement.prototype.setAttribute = function setAttribute(name, value) {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
};

/** Opens it with the request's nonce on the style elements that it makes. */
function openDressed(terminal) {
  const make = document.createElement.bind(document);
  document.createElement = (tag, options) => {
    const element = make(tag, options);
    if (tag === "style") element.nonce = NONCE;
    return element;
  };
  try {
    terminal.open(box);
  } finally {
    delete document.createElement; // the prototype's again
  }
}

const kept = () => {
  try {
    return localStorage.getItem("terminalReader") === "1";
  } catch {
    return false;
  }
};

const terminal = new Terminal({
  fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono").trim(),
  fontSize: 14,
  cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
  minimumContrastRatio: 4.5,
  screenReaderMode: kept(),
  scrollback: 5000,
  theme: look(),
});
const fit = new FitAddon();
let socket = null;

function say(state, text) {
  status.dataset.state = state;
  status.textContent = text;
  again.hidden = state !== "lost";
}

function sendSize() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ type: "resize", columns: terminal.cols, rows: terminal.rows }));
}

function connect() {
  const url = new URL(box.dataset.terminal, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("columns", terminal.cols);
  url.searchParams.set("rows", terminal.rows);
  say("wait", "Connecting");
  let last = "The connection was refused: reload the page to see why.";
  const opened = new WebSocket(url);
  socket = opened;
  opened.binaryType = "arraybuffer";
  opened.addEventListener("open", () => {
    say("open", "Connected");
    last = "";
    sendSize();
    terminal.focus();
  });
  opened.addEventListener("message", ({ data }) => {
    if (typeof data !== "string") return void terminal.write(new Uint8Array(data));
    const told = JSON.parse(data);
    if (told.type === "error") last = told.detail;
    if (told.type === "exit") last = "The shell has ended.";
  });
  opened.addEventListener("close", (event) => {
    if (socket === opened) say("lost", last || event.reason || "The connection has ended.");
  });
}

openDressed(terminal);
terminal.loadAddon(fit);
fit.fit();
terminal.onData((text) => socket?.readyState === WebSocket.OPEN && socket.send(encoder.encode(text)));
terminal.onBinary((text) => socket?.readyState === WebSocket.OPEN && socket.send(Uint8Array.from(text, (c) => c.charCodeAt(0))));
terminal.onResize(sendSize);
// Tab is the shell's; this is how the keyboard leaves it.
terminal.attachCustomKeyEventHandler((event) => {
  if (event.type !== "keydown" || event.key !== "F6") return true;
  reader.focus();
  return false;
});

new ResizeObserver(() => fit.fit()).observe(box);
const recolour = () => { terminal.options.theme = look(); };
new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);

reader.checked = kept();
reader.addEventListener("change", () => {
  terminal.options.screenReaderMode = reader.checked;
  try {
    localStorage.setItem("terminalReader", reader.checked ? "1" : "0");
  } catch {
    // A browser that stores nothing keeps the choice for this page.
  }
});
again.addEventListener("click", () => {
  terminal.reset();
  connect();
});
window.addEventListener("pagehide", () => socket?.close());
connect();
