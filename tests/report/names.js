// What has no name for a screen reader, and tables without caption or scopes.
const named = (node) => node.textContent.trim() || node.getAttribute("aria-label") || node.closest("label");
const parts = document.querySelectorAll("button, a, input, select, svg, [role=img], [role=grid]");
const found = [...parts].filter((node) => !named(node)).map((node) => node.outerHTML);
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.querySelectorAll("th")].every((head) => head.scope === "col");
  const rows = [...table.tBodies[0].rows].every((row) => row.cells[0].scope === "row");
  if (!table.caption || !heads || !rows) found.push(table.outerHTML.slice(0, 200));
}
return found;
