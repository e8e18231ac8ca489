// The gallery: votes that count at once, comments in place, letters that are left, several uploads one after another.
{
  // A form is sent without leaving the page; the answer is the page of the photo's card, as it is now.
  const send = async (form, button) => {
    const fields = new FormData(form, button), card = `${form.action.split("?")[0].replace(/\/card$/, "")}/card`;
    fields.set("_back", new URL(card, location).pathname);
    // the key stays until there is an answer that it was done: what is sent again after a lost answer is done once
    form.dataset.key ||= crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
    fields.set("_key", form.dataset.key);
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(fields) });
    // what was typed stays where it is: one can sign in in another tab
    if (answer.status === 401 && !("comment" in form.dataset) || answer.redirected && !new URL(answer.url).pathname.startsWith("/gallery/")) { location.reload(); return null; }
    let page = parse(await answer.text());
    // it is saved, and the list does not have it yet: what is shown stays until the card has it
    for (let looks = 0; answer.ok && one("#behind", page) && looks < 10; looks++) {
      await new Promise((go) => setTimeout(go, 1000));
      page = parse(await (await fetch(card)).text());
    }
    if (answer.ok) delete form.dataset.key;
    return { ok: answer.ok, page };
  };
  // The frame has shown on the button that the form is on its way; this takes it back.
  addEventListener("submit", ({ submitter }) => { if (submitter) submitter.dataset.label ||= submitter.textContent.trim(); }, true);
  const unsent = (form) => {
    delete form.dataset.sent;
    for (const button of all("button[data-busy]:not([data-busy=''])", form)) {
      button.ariaDisabled = null;
      if (button.dataset.label) one("span", button).textContent = button.dataset.label;
    }
  };
  const fault = (page, form) => (one(".error span", page) || one("#errors p, #errors li, .lead", page))?.textContent || form.dataset.failed;

  // Votes: the new counts are shown at once, then those of the server.
  const shown = (form, button) => {
    const ups = all("button", form).map((each) => {
      const was = each.ariaPressed === "true", is = each === button && button.value !== "none", count = one("[data-count]", each);
      count.dataset.count = +count.dataset.count + is - was;
      count.textContent = (+count.dataset.count).toLocaleString(root.lang);
      each.ariaPressed = `${is}`;
      return +count.dataset.count;
    });
    all("button", form).forEach((each, place) => { each.value = each.ariaPressed === "true" ? "none" : place ? "down" : "up"; });
    const sum = ups[0] + ups[1], share = one("[data-percent]", form.parentElement);
    share.textContent = sum ? `${Math.floor(100 * ups[0] / sum)}\u00a0%` : "";
  };
  // The second click of a double click is no vote of its own, also when the answer to the first is there already.
  on("click", (event) => { if (event.detail > 1 && event.target.closest("[data-vote] button")) stop(event); });
  // While a vote is on its way, a click on the same button is the same vote; one on the other button waits for the answer.
  const flights = new Map();
  const vote = async (form, button) => {
    const part = form.parentElement, before = part.cloneNode(true), { id } = part, flight = flights.get(id);
    if (flight) {
      if (flight.last !== button.id) flight.next = [button.id, button.value];
      return;
    }
    flights.set(id, { last: button.id });
    const sent = send(form, button);
    shown(form, button);
    const answer = await sent.catch(() => ({ ok: false })), { next } = flights.get(id);
    flights.delete(id);
    if (!answer) return;
    const now = document.getElementById(id), held = active(), focus = now.contains(held) && held.id;
    const fresh = answer.page?.getElementById(id) || before;
    all("form", fresh).forEach(unsent);
    now.replaceWith(fresh);
    if (focus) point(document.getElementById(focus));
    if (!answer.ok) return toast(answer.page ? fault(answer.page, form) : form.dataset.failed);
    const wanted = next && document.getElementById(next[0]);
    if (wanted?.value === next?.[1]) wanted.form.requestSubmit(wanted);
  };

  // Comments in place: the list is that of the server; the box is empty again.
  const comment = async (form, button) => {
    const { comment: photo } = form.dataset, answer = await send(form, button).catch(() => ({ ok: false }));
    unsent(form);
    if (!answer) return;
    if (!answer.ok) return toast(answer.page ? fault(answer.page, form) : form.dataset.failed);
    const fresh = answer.page.getElementById(`comments-${photo}`), field = one("textarea", form);
    document.getElementById(`comments-${photo}`).replaceWith(fresh);
    htmx.process(fresh);
    document.getElementById(`talked-${photo}`).textContent = answer.page.getElementById(`talked-${photo}`).textContent;
    field.value = "";
    fire(field, "input");
    delete form.dataset.dirty;
    point(field);
    say(one("p:last-child", fresh)?.textContent || "");
  };
  const left = (field) => {
    const count = one("[data-left]", document.getElementById(field.dataset.counted)), rest = field.dataset.most - [...field.value.trim().replace(/\s+/g, " ")].length;
    count.textContent = rest;
    count.classList.toggle("over", rest < 0);
  };
  on("input", ({ target }) => { if (target.dataset?.counted) left(target); });

  // Uploads: each chosen file has a form of its own; they are sent one after another.
  const uploads = (part) => part.closest("[data-uploads]");
  const label = (form, number) => {
    for (const name of ["id", "for", "aria-describedby", "data-preview"]) for (const part of all(`[${name}]`, form)) {
      part.setAttribute(name, part.getAttribute(name).split(" ").map((each) => `${each.replace(/--\d+$/, "")}--${number}`).join(" "));
    }
  };
  const state = (form) => one(".upload-state", form) || (() => {
    const made = make("div");
    made.className = "upload-state";
    made.role = "status";
    one(".upload", form).append(made);
    return made;
  })();
  const chosen = (field) => {
    const box = uploads(field), form = field.form, files = [...field.files];
    if (!files.length) return;
    let last = form;
    files.forEach((file, place) => {
      const own = place ? form.cloneNode(true) : form;
      if (place) {
        label(own, `${Date.now()}${place}`.slice(-7));
        all(".error", own).forEach((part) => part.remove());
        last.after(own);
        last = own;
      }
      const input = one("[type=file]", own), kept = new DataTransfer(), preview = one(".form-preview", own);
      kept.items.add(file);
      input.files = kept.files;
      preview.src = URL.createObjectURL(file);
      preview.hidden = false;
      one(".upload", own).classList.add("chosen");
      state(own).textContent = file.size > box.dataset.most ? box.dataset.large : "";
      own.dataset.dirty = "";
    });
  };
  on("change", ({ target }) => { if (target.type === "file" && uploads(target)) chosen(target); });
  // Without scripts a form has one file.
  const many = (part) => all("[data-uploads] [type=file]", part).forEach((field) => { field.multiple = true; });
  many(document);
  on("focusin", () => many(dialog));

  const queue = [];
  const upload = (form) => new Promise((done) => {
    const box = uploads(form), texts = box.dataset, shownState = state(form), bar = make("progress"), words = make("p");
    const asked = new XMLHttpRequest(), percent = (part) => { bar.value = part; words.textContent = part < 1 ? `${Math.floor(100 * part)}\u00a0%` : texts.working; };
    bar.max = 1;
    bar.ariaLabel = texts.percentLabel;
    words.className = "soft small num";
    shownState.replaceChildren(bar, words);
    percent(0);
    asked.upload.onprogress = (event) => { if (event.lengthComputable) percent(event.loaded / event.total); };
    asked.onerror = () => { shownState.textContent = texts.failed; done(); };
    asked.onload = () => { ended(form, asked, shownState, texts); done(); };
    asked.open("POST", form.action);
    asked.send(new FormData(form));
  });
  const ended = (form, asked, shownState, texts) => {
    const page = parse(asked.responseText), path = new URL(asked.responseURL).pathname;
    if (asked.status < 400 && path.startsWith("/gallery/photos/")) {
      const done = make("div"), line = make("p"), link = make("a"), preview = one(".form-preview", form);
      done.className = "upload-done";
      link.href = path;
      link.textContent = one("[name=title]", form).value;
      line.append(texts.done, "\u00a0", link);
      done.append(preview, line);
      delete form.dataset.dirty;
      form.replaceChildren(done);
      form.dataset.done = "";
      say(line.textContent);
      return;
    }
    const fresh = one(".upload-fields", page);
    if (!fresh) { shownState.textContent = texts.failed; return; }
    const fileFault = one(".drop .error", page), drop = one(".drop", form), number = /--\d+$/.exec(form.id)?.[0];
    one(".upload-fields", form).replaceWith(fresh);
    one(".error", drop)?.remove();
    if (fileFault) drop.append(fileFault);
    if (number) label(form, number.slice(2));
    shownState.textContent = one("[name=title]", form).ariaInvalid || fileFault ? "" : one("#errors p, #errors li", page)?.textContent || texts.failed;
    (one("[aria-invalid=true]", form) || one("button", form)).focus();
  };
  const work = async () => {
    while (queue.length) {
      await upload(queue[0]);
      unsent(queue.shift());
    }
  };
  const enqueue = (form) => {
    state(form).textContent = uploads(form).dataset.waiting;
    if (queue.push(form) === 1) work();
  };

  on("submit", (event) => {
    const { target: form, submitter } = event;
    if ("vote" in form.dataset && submitter) { stop(event); return vote(form, submitter); }
    if (event.defaultPrevented) return;
    if ("comment" in form.dataset && submitter) { stop(event); comment(form, submitter); }
    if (uploads(form) && one("[type=file]", form)?.files.length) { stop(event); enqueue(form); }
  });
}
