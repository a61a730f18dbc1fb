// The event stream of the tenant acted in: one per page that shows [data-live], and none while the page is hidden,
// since a browser has few connections for one host and many tabs.
//
// Each event goes to the feed, and out as the DOM event `live-<channel>` for whatever listens
// (hx-trigger="live-storage from:body delay:…").

import { icon, make } from "./dom.js";
import { ago } from "./times.js";

const ICONS = { storage: "bucket", tenants: "users", system: "settings", gateway: "link", workspaces: "screen" };
const MOST = 100;
const PATIENCE = 1500;

const status = document.querySelector("[data-live]");
let source = null;
let last = status?.dataset.last ?? "";
let lostSince = null;

function say(state) {
  status.dataset.state = state;
  status.textContent = { open: "Live", wait: "Connecting", lost: "Reconnecting…", refused: "Not connected", paused: "Paused" }[state];
}

function connect() {
  if (source) return;
  const url = new URL(status.dataset.live, location.href);
  if (last) url.searchParams.set("last_event_id", last);
  source = new EventSource(url);
  say("wait");
  source.addEventListener("open", () => {
    say("open");
    lostSince = null;
  });
  source.addEventListener("message", (message) => {
    last = message.lastEventId;
    arrived(JSON.parse(message.data), message.lastEventId);
  });
  source.addEventListener("error", () => {
    lostSince ??= Date.now();
    say(source.readyState === EventSource.CLOSED ? "refused" : "lost");
    if (source.readyState === EventSource.CLOSED) {
      // Refused for good by the browser's rules: a restart answers 502 for a moment, so ask again all the same.
      disconnect();
      setTimeout(() => document.hidden || connect(), Math.min(30_000, PATIENCE + (Date.now() - lostSince)));
    }
  });
}

function disconnect() {
  source?.close();
  source = null;
}

function arrived(event, id) {
  const [channel] = event.type.split(".");
  document.body.dispatchEvent(new CustomEvent(`live-${channel}`, { detail: event }));
  const feed = document.querySelector("[data-feed]");
  if (!feed || feed.querySelector(`[data-event="${CSS.escape(id)}"]`)) return;
  document.querySelector("[data-feed-empty]")?.remove();
  feed.hidden = false;
  feed.prepend(item(event, id, channel));
  while (feed.children.length > MOST) feed.lastElementChild.remove();
}

function item(event, id, channel) {
  const time = make("time", { datetime: event.time, title: event.time, "data-ago": "", class: "soft nowrap", text: ago(Date.parse(event.time)) });
  const line = make("li", { class: "feed-item new", "data-event": id }, icon(ICONS[channel] ?? "pulse"),
    make("span", { class: "feed-type", text: event.type }), time);
  if (event.subject) line.append(make("span", { class: "feed-subject", text: event.subject }));
  return line;
}

if (status) {
  connect();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      disconnect();
      say("paused");
    } else connect();
  });
  window.addEventListener("pagehide", disconnect);
  window.addEventListener("pageshow", (event) => event.persisted && connect());
}
