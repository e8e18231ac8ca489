// Sorting by dragging a handle: the row's form (data-move) gets the new place and is sent. Buttons do the same.
(() => {
  let row, list, placed;
  addEventListener("pointerdown", (event) => {
    const handle = event.target.closest?.(".handle");
    if (!handle || event.button) return;
    row = handle.closest("[data-row]");
    list = row.parentElement;
    placed = [...list.children].indexOf(row);
    row.classList.add("dragged");
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  addEventListener("pointermove", (event) => {
    if (!row) return;
    const over = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-row]");
    if (!over || over === row || over.parentElement !== list) return;
    const box = over.getBoundingClientRect();
    over[event.clientY < box.top + box.height / 2 ? "before" : "after"](row);
  });
  const drop = (event) => {
    if (!row) return;
    const moved = row, place = [...list.children].indexOf(row);
    row.classList.remove("dragged");
    row = undefined;
    if (event.type === "pointercancel") return list.insertBefore(moved, list.children[placed]);
    const form = moved.querySelector("form[data-move]");
    if (place === placed || !form) return;
    form.elements.place.value = place + 1;
    form.requestSubmit();
  };
  addEventListener("pointerup", drop);
  addEventListener("pointercancel", drop);
})();
