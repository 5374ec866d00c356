/* What HTML cannot do by itself: open the dialog, keep typed text during a refresh, local times, counters, toasts. */
(() => {
  const modal = document.getElementById("modal");
  const toasts = document.getElementById("toasts"), UNSAVED = "form[data-keep]:invalid";

  /* A refresh in place keeps what the visitor opened and is typing. */
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => name !== "open" && !(name === "value" && node.type === "password") && !(name === "checked" && node.form?.id === "bulk");

  function localTimes(root) {
    for (const time of root.querySelectorAll("time[data-local]")) {
      const full = time.dataset.local === "full";
      time.textContent = new Date(time.dateTime).toLocaleString(undefined, {
        day: "numeric", month: full ? "long" : "short", year: "numeric", hour: "2-digit", minute: "2-digit",
        second: full ? "2-digit" : undefined, hourCycle: "h23", timeZoneName: "short",
      });
    }
  }

  function toast(text) {
    const note = document.createElement("div");
    note.className = "toast-note toast-danger";
    const words = document.createElement("p");
    words.textContent = text;
    note.append(words);
    toasts.append(note);
    fade(note);
  }

  function fade(note) {
    setTimeout(() => note.matches(":hover, :focus-within") ? fade(note) : note.remove(), 9000);
  }

  function closeModal() {
    if (modal.open) modal.close();
  }

  modal?.addEventListener("close", () => modal.querySelector(UNSAVED) ? modal.showModal() : document.getElementById("modal-body").replaceChildren());
  modal?.addEventListener("click", (event) => {
    if (event.target === modal && !busy() && !modal.querySelector("[data-dirty]")) closeModal();
  });
  /* While a request is under way its dialog stays: the answer would have no place to stand. So does a key until it is saved. */
  const busy = () => document.querySelector("form.dialog-form.htmx-request") || document.querySelector(UNSAVED)?.reportValidity() === false;
  addEventListener("beforeunload", (event) => document.querySelector(UNSAVED) && event.preventDefault());
  modal?.addEventListener("cancel", (event) => busy() && event.preventDefault());
  modal?.querySelector(".dialog-close").addEventListener("submit", (event) => busy() && event.preventDefault());
  document.body.addEventListener("modal:close", closeModal);

  document.addEventListener("click", (event) => {
    const close = event.target.closest?.("[data-close]");
    if (close && (busy() || modal?.contains(close))) {
      event.preventDefault();
      if (!busy()) closeModal();
    }
    event.target.closest?.("[data-dismiss]")?.closest(".toast-note").remove();
    if (event.target.closest?.("[data-print]")) print();
    const copy = event.target.closest?.("[data-copy], [data-copy-from]");
    const from = copy && (document.querySelector(copy.dataset.copyFrom) ?? copy.previousElementSibling);
    if (copy) (navigator.clipboard?.writeText(copy.dataset.copy ?? from.textContent) ?? Promise.reject()).then(() => { copy.lastElementChild.textContent = copy.dataset.copied; }, () => { from.closest("details")?.setAttribute("open", ""); getSelection().selectAllChildren(from); });
  });

  document.addEventListener("input", (event) => {
    const field = event.target;
    if (field.matches(".pick [name]")) document.querySelectorAll("[data-pick-all]").forEach((all) => { all.checked = false; });
    if (field.matches("[data-pick-all]")) for (const box of field.closest("table, .pick-list").querySelectorAll(".pick [name]")) box.checked = field.checked;
    field.closest("form")?.setAttribute("data-dirty", touched = performance.now());
    const counter = document.querySelector(`[data-counter="${field.id}"]`);
    if (!field.id || !counter) return;
    const length = [...field.value].length;
    counter.lastChild.textContent = `${length}/${counter.dataset.most}`;
    counter.classList.toggle("counter-over", length > Number(counter.dataset.most));
  });

  /* Hidden tabs do not poll, nor does a page that was told to go elsewhere; a tab that is shown again looks at once. */
  const isPoll = (list, config) => list.hasAttribute("data-poll") && !config.triggeringEvent;
  let leaving = false, touched = 0;
  document.body.addEventListener("htmx:configRequest", (event) => {
    if (isPoll(event.target, event.detail)) event.detail.headers["X-Poll"] = "1";
  });
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    event.detail.xhr.begun = performance.now();
    if (leaving || (isPoll(event.target, event.detail.requestConfig) && document.hidden)) event.preventDefault();
  });
  document.body.addEventListener("htmx:beforeOnLoad", ({ detail: { xhr } }) => { leaving ||= Boolean(xhr.getResponseHeader("HX-Redirect")); });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) for (const list of document.querySelectorAll("[data-poll]")) htmx.ajax("GET", list.getAttribute("hx-get"), { source: list, target: list, swap: "morph" });
  });

  /* Only the portal's own error answers are shown in the page; a proxy's page never lands in a list. */
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target } = event.detail;
    const part = xhr.getResponseHeader("X-Part");
    if (xhr.status < 400 || !part) return;
    event.detail.isError = false;
    /* A check while typing that could not be made is no news. */
    event.detail.shouldSwap = !(part === "alert" && target.matches(".field-feedback"));
    /* An alert in place of an answer stands above the form, which keeps what was typed. */
    if (part !== "alert" || !target.matches("form.dialog-form")) return;
    target.querySelectorAll("[data-alert], .dialog-body > .notice").forEach((old) => old.remove());
    event.detail.target = target.querySelector(".dialog-body");
    event.detail.swapOverride = "afterbegin";
  });
  /* A list that was sent elsewhere meanwhile (a search, another VM) does not go back by an older answer; nor what was touched. */
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { elt, path } = detail.requestConfig, old = elt.hasAttribute("data-yields") && touched > detail.xhr.begun && setTimeout(() => htmx.trigger(elt, "change"), 300);
    Idiomorph.defaults.ignoreActiveValue = Boolean(document.activeElement?.matches("input, textarea, select"));
    if (old || (elt.hasAttribute("data-poll") && path !== elt.getAttribute("hx-get"))) detail.shouldSwap = false;
  });
  const offline = (is) => document.getElementById("offline")?.toggleAttribute("hidden", !is);
  /* Comes after responseError, so a proxy's page must not count as an answer of the portal. */
  document.body.addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
    if (xhr?.status && (xhr.status < 400 || xhr.getResponseHeader("X-Part"))) offline(false);
  });
  document.body.addEventListener("htmx:responseError", (event) => {
    if (event.target.hasAttribute("data-poll")) offline(true);
    else toast(`The portal answered with an error (${event.detail.xhr.status}). Reload the page.`);
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.body.addEventListener(name, (event) => {
      if (event.target.hasAttribute("data-poll")) offline(true);
      else toast(`No connection to the portal.${event.detail.requestConfig?.verb === "post" ? " The form may have been sent: look at Activity before you send it again." : ""}`);
    });
  }

  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id !== "modal-body" || modal.open) return;
    modal.showModal();
    modal.querySelector(".dialog-body :is(input:not([type=hidden]), select, textarea), .dialog-foot button")?.focus({ preventScroll: true });
  });
  document.body.addEventListener("htmx:afterSettle", (event) => {
    localTimes(document);
    const first = event.target.closest?.("#modal, #deploy")?.querySelector("[aria-invalid=true], .notice[role=alert]");
    if (first?.classList.contains("notice")) first.tabIndex = -1;
    if (event.detail.requestConfig?.verb === "post" && event.target.matches("form, .dialog-form")) first?.focus();
  });
  document.body.addEventListener("htmx:oobAfterSwap", () => toasts.lastElementChild && fade(toasts.lastElementChild));
  /* Feedback that came while typing also tells assistive technology whether the field is right. */
  document.body.addEventListener("htmx:load", (event) => {
    event.target.querySelector?.("a[data-download]")?.click();
    const name = event.target.dataset?.field;
    if (name) document.getElementById(name)?.setAttribute("aria-invalid", String(Boolean(event.target.querySelector(".field-error"))));
  });

  /* Without htmx's help: a plain form must not be sent twice by a double click. */
  document.addEventListener("submit", (event) => {
    if (event.target.hasAttribute("hx-post") || event.target.method !== "post") return;
    setTimeout(() => event.submitter?.setAttribute("disabled", ""), 0);
  });
  addEventListener("pageshow", () => { leaving = false; document.querySelectorAll("button[disabled][name=theme], form[action] > button[disabled]").forEach((button) => button.removeAttribute("disabled")); });

  localTimes(document);
})();
