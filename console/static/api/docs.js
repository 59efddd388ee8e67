// The API's document as a page. Requests sent from it use the browser's session, so they
// carry the CSRF token, as every change that a session asks for has to.
"use strict";

function csrfToken() {
  const found = document.cookie.match(/(?:^|; )csrftoken=([^;]*)/);
  return found ? decodeURIComponent(found[1]) : "";
}

window.SwaggerUIBundle({
  url: document.getElementById("swagger-ui").dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  tagsSorter: "alpha",
  defaultModelsExpandDepth: 0,
  requestInterceptor(request) {
    const isHere = new URL(request.url, window.location.href).origin === window.location.origin;
    if (isHere && !["GET", "HEAD", "OPTIONS"].includes(request.method)) {
      request.headers["X-CSRFToken"] = csrfToken();
    }
    return request;
  },
});
