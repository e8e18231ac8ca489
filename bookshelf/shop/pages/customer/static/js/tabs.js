// The numbers at links of the bar: those of a page that has just come are shown in this tab and in the others.
{
  const tabs = new BroadcastChannel("bar");
  const text = (link) => one(".count", link)?.textContent;
  const numbers = (page) => all(".links a", page).map((link) => [link.getAttribute("href"), text(link)]);
  const show = ({ data }) => all(".links a").forEach((link) => {
    const found = data.find(([address]) => address === link.getAttribute("href"));
    if (!found || found[1] === text(link)) return;
    one(".count", link)?.remove();
    if (!found[1]) return;
    const count = make("b");
    count.className = "count num";
    count.textContent = found[1];
    link.append(count);
  });
  const share = (page) => {
    const data = numbers(page);
    show({ data });
    tabs.postMessage(data);
  };
  on("message", show, tabs);
  share(document);
  // A page that follows an order looks at the numbers again once the order has changed: its cart is emptied then.
  const look = async () => {
    if (one(".count")) share(parse(await (await fetch(location.href)).text()));
  };
  if (one("[data-live]")) new MutationObserver(() => setTimeout(look, 1500)).observe(main, { childList: true, subtree: true });
}
