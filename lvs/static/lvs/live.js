/* The live part of a page is not replaced under somebody's hands: while a field of it has the
   focus or was changed, while one of its menus is open, or while nobody looks at the page.
   When what the page is about is gone, the list follows. */
(function () {
  "use strict";

  function isInUse(part) {
    const focused = document.activeElement;
    if (part.contains(focused) && focused.matches("input, select, textarea")) return true;
    if (part.querySelector("details.menu[open]")) return true;
    return Array.from(part.querySelectorAll("input:not([type=hidden])")).some(
      (input) => input.value !== input.defaultValue
    );
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    if (part.id === "live" && (document.hidden || isInUse(part))) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    if (part.id !== "live") return;
    if (event.detail.xhr.status === 404) location.assign(part.dataset.gone);
    if (isInUse(part)) event.detail.shouldSwap = false;
  });
})();
