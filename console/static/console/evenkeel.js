/* Makes pages better; every page works without it. No framework, no inline code.
   Sections: ages, copying, menus, confirmation, palette, theme, toasts, live fragments. */
(function () {
  "use strict";

  const body = document.body;
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));

  /* Ages: the words of the server, kept fresh ------------------------------------------- */

  function ageWords(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const [pattern, count] =
      whole < 60 ? [body.dataset.ageS, whole]
      : whole < 3600 ? [body.dataset.ageMin, Math.floor(whole / 60)]
      : whole < 172800 ? [body.dataset.ageH, Math.floor(whole / 3600)]
      : [body.dataset.ageDays, Math.floor(whole / 86400)];
    return pattern.replace("#", count);
  }

  /* The reader's clock may be wrong: count from what the server said, not from Date.now(). */
  const loadedAt = performance.now();
  const serverNow = Date.parse(body.dataset.now || "") || Date.now();
  const now = () => serverNow + performance.now() - loadedAt;

  function freshenAges() {
    for (const element of all("time[data-age]")) {
      const seconds = (now() - Date.parse(element.dateTime)) / 1000;
      const words = ageWords(seconds);
      if (element.textContent !== words) element.textContent = words;
      if (element.dataset.staleAfter) {
        element.classList.toggle("is-stale", seconds > Number(element.dataset.staleAfter));
      }
    }
  }
  if (body.dataset.ageS) setInterval(freshenAges, 1000);

  /* Copying ----------------------------------------------------------------------------- */

  function showCopyButtons(root) {
    if (navigator.clipboard) all("[data-copy]", root).forEach((button) => { button.hidden = false; });
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    const words = button.querySelector("span");
    const before = words ? words.textContent : button.getAttribute("aria-label");
    const show = (text) => (words ? (words.textContent = text) : button.setAttribute("aria-label", text));
    button.classList.add("copied");
    show(body.dataset.copied);
    setTimeout(() => { button.classList.remove("copied"); show(before); }, 1600);
  });

  /* Menus: one open at a time, closed by Escape and by a click elsewhere ------------------ */

  document.addEventListener("click", (event) => {
    for (const menu of all("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of all("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  /* Confirmation: the button wakes up when the name is right ------------------------------ */

  function armConfirmations(root) {
    for (const confirm of all("[data-confirm]", root)) {
      const input = confirm.querySelector("form input.form-control");
      const button = confirm.querySelector("form button[type=submit]");
      const check = () => { button.disabled = input.value !== confirm.dataset.confirm; };
      input.addEventListener("input", check);
      confirm.addEventListener("toggle", () => { if (confirm.open) input.focus(); });
      check();
    }
  }

  /* "Select all" above a list ------------------------------------------------------------- */

  document.addEventListener("change", (event) => {
    const master = event.target.closest("[data-select-all]");
    if (!master) return;
    for (const box of all(`input[name="${master.dataset.selectAll}"]`)) box.checked = master.checked;
  });

  /* Palette ------------------------------------------------------------------------------- */

  const palette = document.getElementById("palette");
  if (palette) {
    const input = palette.querySelector("input");
    const found = document.getElementById("palette-found");
    let asked = 0;
    let timer = 0;

    const rows = () => all("a", found);
    const chosen = () => found.querySelector("a.is-chosen");

    function choose(row) {
      if (chosen()) {
        chosen().removeAttribute("aria-selected");
        chosen().classList.remove("is-chosen");
      }
      input.removeAttribute("aria-activedescendant");
      if (!row) return;
      row.classList.add("is-chosen");
      row.setAttribute("aria-selected", "true");
      input.setAttribute("aria-activedescendant", row.id);
      row.scrollIntoView({ block: "nearest" });
    }

    async function look() {
      const mine = ++asked;
      const address = palette.dataset.url + "?q=" + encodeURIComponent(input.value.trim());
      const answer = await fetch(address, { headers: { "HX-Request": "true" } });
      if (!answer.ok || mine !== asked) return;
      found.innerHTML = await answer.text();
      choose(rows()[0]);
    }

    function openPalette() {
      if (palette.open) return;
      palette.showModal();
      input.value = "";
      input.focus();
      look();
    }

    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, 90); });
    palette.addEventListener("keydown", async (event) => {
      const list = rows();
      const at = list.indexOf(chosen());
      if (event.key === "ArrowDown") choose(list[Math.min(at + 1, list.length - 1)]);
      else if (event.key === "ArrowUp") choose(list[Math.max(at - 1, 0)]);
      else if (event.key === "Enter") {
        event.preventDefault();
        clearTimeout(timer);
        if (timer) await look();
        if (chosen()) location.assign(chosen().href);
        return;
      } else return;
      event.preventDefault();
    });
    palette.addEventListener("click", (event) => { if (event.target === palette) palette.close(); });

    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
      if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        openPalette();
      } else if (event.key === "/" && !isTyping && !event.ctrlKey && !event.altKey && !event.metaKey) {
        event.preventDefault();
        document.getElementById("find").focus();
      }
    });
  }

  /* Theme: at once, and remembered by the server's cookie --------------------------------- */

  for (const form of all("[data-themes] form")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const root = document.documentElement;
      const choice = event.submitter.value;
      const dark = matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = choice;
      root.dataset.bsTheme = choice === "auto" ? (dark ? "dark" : "light") : choice;
      form.closest("details").open = false;
      fetch(form.action, { method: "POST", body: new FormData(form, event.submitter), redirect: "manual" });
    });
  }

  /* Toasts: an operation that I asked for has ended while I was elsewhere ------------------ */

  const toasts = document.getElementById("toasts");
  if (toasts) {
    const KEY = "evenkeel-since";
    let since = sessionStorage.getItem(KEY) || toasts.dataset.since;

    function show(html) {
      const fragment = document.createElement("template");
      fragment.innerHTML = html;
      for (const toast of all(".banner", fragment.content)) {
        /* A template's own document has no address to resolve links against. */
        const link = toast.querySelector("a").getAttribute("href");
        if (new URL(link, location.href).pathname !== location.pathname) toasts.append(toast);
      }
    }

    async function ask() {
      const address = toasts.dataset.poll + "?since=" + encodeURIComponent(since);
      const isSeen = document.visibilityState === "visible";
      const answer = isSeen ? await fetch(address).catch(() => null) : null;
      const isGood = answer !== null && answer.ok && !answer.redirected;
      if (isGood) {
        since = answer.headers.get("X-Since");
        sessionStorage.setItem(KEY, since);
        show(await answer.text());
      }
      setTimeout(ask, isGood && answer.headers.get("X-Live") === "1" ? 3000 : 30000);
    }
    setTimeout(ask, 1500);
    document.addEventListener("click", (event) => {
      const button = event.target.closest(".toasts .dismiss");
      if (button) button.closest(".banner").remove();
    });
  }

  /* Live fragments: what was opened stays open, what was scrolled stays scrolled ----------- */

  /* Somebody's focus or open menu is not swapped away; what has an id gets its focus back. */
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    if (!part.matches('[hx-trigger^="every"]')) return;
    const active = document.activeElement;
    const isUsed = part.contains(active) && active !== part && !active.id;
    if (isUsed || part.querySelector("details.menu[open]")) event.preventDefault();
  });

  const kept = new Map();
  document.addEventListener("htmx:beforeSwap", (event) => {
    kept.clear();
    for (const details of all("details[id]", event.detail.target)) kept.set(details.id, details.open);
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const [id, isOpen] of kept) {
      const details = document.getElementById(id);
      if (details) details.open = isOpen;
    }
  });
  document.addEventListener("htmx:load", (event) => {
    showCopyButtons(event.detail.elt);
    armConfirmations(event.detail.elt);
  });

  showCopyButtons(document);
  armConfirmations(document);
})();
