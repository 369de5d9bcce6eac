"use strict";
// Lists the operations of /openapi.json. No library: the page must work where
// the server is all that can be reached.
const el = (tag, attributes, ...children) => {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
};

const refName = (ref) => ref.split("/").pop();

// typeName says in one word what a schema is.
const typeName = (s) => {
  if (!s) return "any";
  if (s.$ref) return refName(s.$ref);
  const t = Array.isArray(s.type) ? s.type.join(" or ") : s.type || "any";
  if (s.type === "array" || (Array.isArray(s.type) && s.type.includes("array"))) return "list of " + typeName(s.items);
  return s.format ? t + " (" + s.format + ")" : t;
};

const resolve = (doc, s) => (s && s.$ref ? doc.components.schemas[refName(s.$ref)] : s);

const bounds = (s) => {
  const out = [];
  if (s.enum) out.push("one of " + s.enum.join(", "));
  if (s.minimum !== undefined) out.push("at least " + s.minimum);
  if (s.maximum !== undefined) out.push("at most " + s.maximum);
  if (s.maxLength !== undefined) out.push("at most " + s.maxLength + " characters");
  if (s.default !== undefined) out.push("default " + JSON.stringify(s.default));
  return out.join("; ");
};

const fields = (doc, schema) => {
  const s = resolve(doc, schema);
  if (!s) return null;
  if (!s.properties) return el("p", {}, typeName(schema));
  const table = el("table", {}, el("tr", {}, el("th", {}, "Field"), el("th", {}, "Type"), el("th", {}, "Meaning")));
  for (const [name, p] of Object.entries(s.properties)) {
    const must = (s.required || []).includes(name) ? "" : " (optional)";
    table.append(el("tr", {}, el("td", {}, el("code", {}, name), must), el("td", {}, typeName(p)), el("td", {}, [p.description, bounds(p)].filter(Boolean).join(" · "))));
  }
  return table;
};

const operation = (doc, path, method, o) => {
  const d = el("details", {},
    el("summary", {}, el("span", { class: "role" }, o["x-role"] || ""), el("span", { class: "method" }, method.toUpperCase()), el("code", {}, path), " ", o.summary || ""),
    el("p", { class: "text" }, o.description || ""));
  d.dataset.find = [path, method, o.summary, o["x-role"], o.operationId].join(" ").toLowerCase();
  d.addEventListener("toggle", () => {
    if (!d.open || d.dataset.filled) return;
    d.dataset.filled = "yes";
    if (o.parameters && o.parameters.length) {
      const table = el("table", {}, el("tr", {}, el("th", {}, "Parameter"), el("th", {}, "In"), el("th", {}, "Type"), el("th", {}, "Meaning")));
      for (const p of o.parameters) {
        table.append(el("tr", {}, el("td", {}, el("code", {}, p.name)), el("td", {}, p.in), el("td", {}, typeName(p.schema)), el("td", {}, [p.description, bounds(p.schema || {})].filter(Boolean).join(" · "))));
      }
      d.append(el("h4", {}, "Parameters"), table);
    }
    const body = o.requestBody && Object.values(o.requestBody.content)[0];
    if (body) d.append(el("h4", {}, "Body"), el("p", {}, o.requestBody.description || ""), fields(doc, body.schema) || "");
    for (const [code, r] of Object.entries(o.responses || {})) {
      const content = r.content && Object.values(r.content)[0];
      d.append(el("h4", {}, "Answer " + code + ": " + (r.description || "")));
      if (!content || !content.schema) continue;
      const page = resolve(doc, content.schema);
      const items = page && page.properties && page.properties.items && page.properties.next ? page.properties.items.items : null;
      if (items) d.append(el("p", {}, "A page of:"));
      d.append(fields(doc, items || content.schema) || "");
    }
  });
  return d;
};

const show = (doc) => {
  const list = document.getElementById("list");
  const groups = new Map();
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const [method, o] of Object.entries(item)) {
      const tag = (o.tags && o.tags[0]) || "other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(doc, path, method, o));
    }
  }
  list.replaceChildren();
  for (const [tag, operations] of [...groups].sort()) list.append(el("section", {}, el("h2", {}, tag), ...operations));
  const find = document.getElementById("find");
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const d of list.querySelectorAll("details")) d.hidden = !words.every((w) => d.dataset.find.includes(w));
    for (const s of list.querySelectorAll("section")) s.hidden = ![...s.querySelectorAll("details")].some((d) => !d.hidden);
  });
};

fetch("/openapi.json")
  .then((r) => (r.ok ? r.json() : Promise.reject(new Error("the server answered " + r.status))))
  .then(show)
  .catch((e) => document.getElementById("list").replaceChildren(el("p", { class: "error" }, "The document could not be read: " + e.message)));
