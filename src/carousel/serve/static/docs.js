// The addresses of the server, of openapi.json; everything is shown as text.
"use strict";

function made(name, text, parent) {
  const element = document.createElement(name);
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

async function look() {
  const api = await (await fetch("/openapi.json")).json();
  document.getElementById("title").textContent = `${api.info.title} ${api.info.version}`;
  const main = document.getElementById("paths");
  made("p", api.info.description, main);
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, said] of Object.entries(methods)) {
      const section = made("section", null, main);
      const head = made("h2", null, section);
      made("code", `${method.toUpperCase()} ${path}`, head);
      made("p", said.description || said.summary, section);
      for (const one of said.parameters || []) {
        made("p", `${one.name} (${one.in}): ${one.description || ""}`, section);
      }
      const body = said.requestBody && said.requestBody.content["application/json"];
      if (body) made("pre", JSON.stringify(body.example, null, 1), section);
      for (const [status, answer] of Object.entries(said.responses)) {
        made("p", `${status}: ${answer.description}`, section);
        const content = answer.content && Object.values(answer.content)[0];
        if (content && content.example) made("pre", JSON.stringify(content.example, null, 1), section);
      }
    }
  }
}

look();
