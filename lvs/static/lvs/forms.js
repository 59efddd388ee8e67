/* Makes the forms of load balancing better; they work without it. */
(function () {
  "use strict";

  /* Another director or host: draw the form again with what that one has. */
  for (const button of document.querySelectorAll("[data-redraw]")) {
    button.closest("p").hidden = true;
    document.getElementById(button.dataset.redraw).addEventListener("change", () => {
      button.form.requestSubmit(button);
    });
  }

  /* The words of the chosen option, spelled out: a closed select cuts them off. */
  for (const words of document.querySelectorAll("[data-words-of]")) {
    const select = document.getElementById(words.dataset.wordsOf);
    select.addEventListener("change", () => {
      words.textContent = select.selectedOptions[0].textContent.replace(/^.*? — .*?\. /, "");
    });
  }

  /* Rows: added from their template, taken away by ticking their box and hiding them. */
  for (const add of document.querySelectorAll("[data-add-row]")) {
    const rows = document.getElementById(add.dataset.rows);
    const template = document.getElementById(`${add.dataset.rows}-template`);
    const total = document.getElementById(`id_${add.dataset.addRow}-TOTAL_FORMS`);

    const arm = (row) => {
      const box = row.querySelector("input[name$='-DELETE']");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "btn btn-small";
      button.textContent = "✕";
      button.setAttribute("aria-label", box.labels[0].textContent);
      button.addEventListener("click", () => {
        box.checked = true;
        row.hidden = true;
        const next = rows.querySelector("tr:not([hidden]) input:not([type=hidden])");
        (next || add).focus();
      });
      box.classList.add("visually-hidden");
      box.tabIndex = -1;
      if (box.checked) row.hidden = true;
      box.after(button);
    };

    Array.from(rows.children).forEach(arm);
    add.addEventListener("click", (event) => {
      event.preventDefault();
      rows.insertAdjacentHTML("beforeend", template.innerHTML.replaceAll("__prefix__", total.value));
      total.value = Number(total.value) + 1;
      arm(rows.lastElementChild);
      rows.lastElementChild.querySelector("input:not([type=hidden])").focus();
    });
  }
})();
