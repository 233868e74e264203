(function () {
"use strict";
var doc = document, root = doc.documentElement, query = root.getAttribute("data-query");
var gone = doc.getElementById("gone"), heard = Date.now(), source = null, timer = 0;

function lost() {
  if (!gone.hidden) return;
  gone.textContent = "No answer from the appliance since " +
    new Date(heard).toISOString().substr(11, 8) + " UTC. What stands here is from then.";
  gone.hidden = false;
}
function hear() { heard = Date.now(); gone.hidden = true; }

// Put new text into a section; what was open, focused or moved in it stays so.
function put(id, html) {
  var box = doc.getElementById(id), chosen = window.getSelection && getSelection();
  if (!box || (chosen && !chosen.isCollapsed && box.contains(chosen.anchorNode))) return;
  var at = doc.activeElement, focus = box.contains(at) && at.id, open = [], moved = [], i, all;
  all = box.querySelectorAll("details[open],.wide[id]");
  for (i = 0; i < all.length; i++)
    if (all[i].id) (all[i].tagName === "DETAILS" ? open : moved).push([all[i].id, all[i].scrollLeft]);
  box.innerHTML = html;
  for (i = 0; i < open.length; i++) if ((at = doc.getElementById(open[i][0]))) at.open = true;
  for (i = 0; i < moved.length; i++) if ((at = doc.getElementById(moved[i][0]))) at.scrollLeft = moved[i][1];
  if (focus && (at = doc.getElementById(focus))) at.focus({ preventScroll: true });
  if (id === "state" && (at = box.querySelector(".state")))
    doc.title = doc.querySelector("h1").textContent + ": " + at.textContent;
}

// Without a stream (too many, or an old browser): the page itself, every 10 s.
function fetchAll() {
  var ask = new XMLHttpRequest();
  ask.open("GET", "/" + query);
  ask.timeout = 8000;
  ask.onload = function () {
    if (ask.status !== 200) return lost();
    hear();
    var page = new DOMParser().parseFromString(ask.responseText, "text/html");
    if (page.documentElement.getAttribute("data-build") !== root.getAttribute("data-build")) return location.reload();
    var ids = ["state", "trouble", "sum", "lanes", "charts", "miners", "refused", "device", "events"];
    for (var i = 0; i < ids.length; i++) {
      var fresh = page.getElementById(ids[i]);
      if (fresh) put(ids[i], fresh.innerHTML);
    }
  };
  ask.onerror = ask.ontimeout = lost;
  ask.send();
}
function poll() {
  if (!timer) timer = setInterval(function () { if (!doc.hidden) { fetchAll(); listen(); } }, 10000);
}
function listen() {
  if (!window.EventSource) return poll();
  if (source) source.close();
  source = new EventSource("/live" + query);
  source.addEventListener("build", function (e) {
    hear();
    clearInterval(timer);
    timer = 0;
    if (e.data !== root.getAttribute("data-build")) location.reload();
  });
  source.addEventListener("beat", hear);
  source.addEventListener("part", function (e) {
    hear();
    var part = JSON.parse(e.data);
    put(part.id, part.html);
  });
  source.onerror = function () {
    if (source.readyState === 2) poll();
    else lost();
  };
}
// A page that nobody looks at keeps no place.
doc.addEventListener("visibilitychange", function () {
  if (doc.hidden) return source && source.close();
  if (gone.hidden) heard = Date.now();
  listen();
});
setInterval(function () { if (!doc.hidden && Date.now() - heard > 15000) lost(); }, 1000);
listen();
})();
