// A filter hides what is drawn or told of backbones whose name has not what is typed.
for (const filter of document.querySelectorAll(".filter")) {
  const box = filter.querySelector("input");
  const told = filter.querySelector("[role=status]");
  const named = [...document.querySelectorAll("[data-name]")];
  const all = new Set(named.map((one) => one.dataset.name));
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (name) => words.every((word) => name.toLowerCase().includes(word));
    for (const one of named) one.toggleAttribute("hidden", !has(one.dataset.name));
    const shown = [...all].filter(has).length;
    told.textContent = words.length ? `${shown} of ${all.size}` : "";
  });
  filter.hidden = false;
}
