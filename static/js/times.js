// <time data-ago>: how long ago, kept true while the page stands; the exact time is its title.

const FORMAT = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];

export function ago(moment, now = Date.now()) {
  let value = (moment - now) / 1000;
  if (Math.abs(value) < 5) return "now";
  for (const [unit, length] of STEPS) {
    if (Math.abs(value) < length) return FORMAT.format(Math.round(value), unit);
    value /= length;
  }
  return "";
}

export function refresh(root = document) {
  for (const time of root.querySelectorAll("time[data-ago]")) time.textContent = ago(Date.parse(time.dateTime));
}

setInterval(refresh, 20_000);
document.addEventListener("htmx:load", (event) => refresh(event.target));
