// A text field that saves while one writes: after a short rest, on leaving it, and when the page goes away.

const RESTS = 250; // milliseconds

export default function ({ data, parentElement, setTriggerValue }) {
  const area = parentElement.querySelector("textarea");
  const sent = () => area.dataset.sent ?? "";
  const send = () => {
    clearTimeout(area.timer);
    if (area.value === sent() || area.dataset.key === undefined) return;
    area.dataset.sent = area.value;
    setTriggerValue("written", { target: area.dataset.key, text: area.value });
  };
  // What is being written is never replaced: only another target, or a field that was left alone, takes the saved text.
  if (area.dataset.key !== data.key || area.value === sent()) {
    if (area.value !== data.text) area.value = data.text;
    area.dataset.sent = data.text;
  }
  area.dataset.key = data.key;
  area.disabled = data.disabled;
  area.placeholder = data.placeholder;
  area.setAttribute("aria-label", data.label);
  parentElement.querySelector("span").textContent = data.label;
  area.oninput = () => {
    clearTimeout(area.timer);
    area.timer = setTimeout(send, RESTS);
  };
  area.onblur = send;
  const leave = () => document.visibilityState === "hidden" && send();
  document.addEventListener("visibilitychange", leave);
  addEventListener("pagehide", send);
  return () => {
    document.removeEventListener("visibilitychange", leave);
    removeEventListener("pagehide", send);
  };
}
