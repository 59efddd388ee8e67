/* Runs before the first paint: resolves the theme "auto" for the few rules of Tabler that ask
   for an attribute, and marks that scripts run. The choice itself is a cookie that the server
   writes into the page. */
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("has-js");
  if (!root.dataset.bsTheme) {
    var dark = window.matchMedia("(prefers-color-scheme: dark)");
    var follow = function () {
      if (root.dataset.theme === "auto") root.dataset.bsTheme = dark.matches ? "dark" : "light";
    };
    dark.addEventListener("change", follow);
    follow();
  }
})();
