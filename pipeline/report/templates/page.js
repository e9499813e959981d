"use strict";
// What a mark says is shown at once on hover, touch, and by the arrow keys on a focused chart.
(() => {
  const tip = document.getElementById("tip");
  let active = null;

  const told = (mark) => mark.dataset.said || value(mark);

  // The values that a point or a place on a line stands for, found back from its pixels.
  function value(mark) {
    const svg = mark.ownerSVGElement;
    const back = (name, pixel) => {
      const [low, high, start, end, kind] = svg.dataset[name].split(" ");
      const on = (v) => kind === "log1p" ? Math.log1p(+v) : +v;
      const here = on(low) + (pixel - start) / (end - start) * (on(high) - on(low));
      const v = kind === "log1p" ? Math.expm1(here) : here;
      const fine = Math.abs(high - low) / 500;
      return v.toLocaleString("en", { maximumFractionDigits: Math.min(Math.max(0, Math.ceil(-Math.log10(fine))), 8) }).replace(/^-0$/, "0");
    };
    const line = mark.dataset.label ? mark.dataset.label + ": " : "";
    return `${line}${svg.dataset.xLabel} ${back("x", mark.at[0])}, ${svg.dataset.yLabel} ${back("y", mark.at[1])}`;
  }

  function show(mark) {
    hide();
    active = mark;
    if (mark.classList) mark.classList.add("active");
    tip.textContent = told(mark);
    tip.hidden = false;
    const box = place(mark);
    const left = Math.min(Math.max(8, box.x - tip.offsetWidth / 2), document.documentElement.clientWidth - tip.offsetWidth - 8);
    tip.style.left = `${left + window.scrollX}px`;
    const above = box.top - tip.offsetHeight - 8;
    tip.style.top = `${(above < 4 ? box.bottom + 8 : above) + window.scrollY}px`;
  }

  function hide() {
    if (active && active.classList) active.classList.remove("active");
    active = null;
    tip.hidden = true;
  }

  function place(mark) {
    if (!mark.at) {
      const box = mark.getBoundingClientRect();
      return { x: box.left + box.width / 2, top: box.top, bottom: box.bottom };
    }
    const p = new DOMPoint(mark.at[0], mark.at[1]).matrixTransform(mark.ownerSVGElement.getScreenCTM());
    return { x: p.x, top: p.y, bottom: p.y };
  }

  // Marks with words of their own, then points and the corners of lines.
  function marksOf(svg) {
    const own = [...svg.querySelectorAll(".mark")];
    if (!svg.dataset.x) return own;
    const dots = [...svg.querySelectorAll(".dots circle")].map((c) => Object.assign(c, { at: [+c.getAttribute("cx"), +c.getAttribute("cy")] }));
    const corners = [...svg.querySelectorAll(".line")].flatMap((line) =>
      line.getAttribute("points").split(" ").map((pair) => ({ at: pair.split(",").map(Number), ownerSVGElement: svg, dataset: line.dataset })));
    return [...own, ...dots, ...corners];
  }

  for (const svg of document.querySelectorAll("svg.chart")) {
    for (const title of svg.querySelectorAll("title")) {
      title.parentNode.dataset.said = title.textContent;
      title.remove();
    }
    let marks = null;
    const all = () => marks || (marks = marksOf(svg));
    // A mark itself, or the one that a name, a number or a whisker belongs to, which may hide it.
    const under = (target) => {
      const beside = target.closest("[data-said]") ? null : target.closest("g");
      const own = beside ? beside.querySelectorAll("[data-said]") : [target.closest("[data-said]")];
      return own.length === 1 ? own[0] : null;
    };
    const nearest = (event) => {
      const said = under(event.target);
      if (said) return said;
      if (!svg.dataset.x) return null;
      const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      let best = null, least = 18 ** 2;
      for (const mark of all()) {
        if (!mark.at) continue;
        const d = (mark.at[0] - p.x) ** 2 + (mark.at[1] - p.y) ** 2;
        if (d < least) [best, least] = [mark, d];
      }
      return best;
    };
    const point = (event) => { const mark = nearest(event); mark ? show(mark) : hide(); };
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step || !all().length) return;
      event.preventDefault();
      const at = all().indexOf(active);
      show(all()[at < 0 ? (step > 0 ? 0 : all().length - 1) : (at + step + all().length) % all().length]);
    });
  }
})();
