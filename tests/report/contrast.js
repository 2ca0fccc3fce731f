// Texts of the page whose contrast with what lies behind them is below WCAG's 4.5.
const channel = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
function luminance(colour) {
  const [r, g, b] = colour.match(/[\d.]+/g).map((v) => channel(Number(v) / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function ground(node) {
  for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (!/, 0\)$/.test(colour) && colour !== "transparent") return colour;
  }
  return "rgb(255, 255, 255)";
}
const texts = [
  "header h1", "header p", "tbody th a", "td.n", ".lead", ".figures dt", ".legend", ".bars span",
  ".core:not([disabled])", ".map div", ".bound", "footer p", "caption",
];
const found = [];
for (const selector of texts) {
  for (const node of [...document.querySelectorAll(selector)].slice(0, 16)) {
    const [light, dark] = [luminance(getComputedStyle(node).color), luminance(ground(node))].sort((x, y) => y - x);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) found.push(`${selector}: ${contrast.toFixed(2)} ${ground(node)}`);
  }
}
return found;
