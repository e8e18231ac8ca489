// Sorting by dragging a handle: the row's form (data-move) gets the new place and is sent. Buttons do the same.
{
  let row, before;
  const place = () => [...row.parentElement.children].indexOf(row) + 1;
  on("pointerdown", (event) => {
    const handle = event.target.closest(".handle");
    if (!handle || event.button) return;
    row = handle.closest("[data-row]");
    before = place();
    row.classList.add("dragged");
    handle.setPointerCapture(event.pointerId);
    stop(event);
  });
  on("pointermove", ({ clientX, clientY }) => {
    const over = row && document.elementFromPoint(clientX, clientY)?.closest("[data-row]");
    if (!over || over.parentElement !== row.parentElement) return;
    const { top, height } = over.getBoundingClientRect();
    over[clientY < top + height / 2 ? "before" : "after"](row);
  });
  on("pointerup pointercancel", () => {
    if (!row) return;
    row.classList.remove("dragged");
    const form = one("form[data-move]", row);
    if (form && place() !== before) { form.elements.place.value = place(); form.requestSubmit(); }
    row = 0;
  });
}
