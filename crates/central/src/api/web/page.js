(function(){
"use strict";
var gone=document.getElementById("gone"),every=10000,since=0,busy=false;
function mark(e){return e&&e.id?"#"+e.id:e&&e.getAttribute&&e.getAttribute("href")?'a[href="'+e.getAttribute("href").replace(/["\\]/g,"\\$&")+'"]':null}
function swap(text){
var live=document.getElementById("live"),next=new DOMParser().parseFromString(text,"text/html").getElementById("live");
if(!live||!next){location.reload();return}
if(live.contains(document.activeElement)&&/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName))return;
if(String(getSelection()))return;
var had=live.contains(document.activeElement)?mark(document.activeElement):null;
var open=[].map.call(live.querySelectorAll("details[open][id]"),function(d){return d.id});
var left=[].map.call(live.querySelectorAll(".wide"),function(w){return w.scrollLeft});
live.replaceWith(next);
open.forEach(function(id){var d=document.getElementById(id);if(d)d.open=true});
[].forEach.call(next.querySelectorAll(".wide"),function(w,i){w.scrollLeft=left[i]||0});
if(had){var e=next.querySelector(had);if(e)e.focus({preventScroll:true})}
}
function ask(){
if(document.hidden||busy)return;
busy=true;
fetch(location.href,{cache:"no-store",credentials:"same-origin"}).then(function(r){
if(r.redirected){location.reload();return}
if(!r.ok)throw new Error(r.status===503?"central has no database now":"answer "+r.status);
return r.text().then(function(text){since=0;gone.hidden=true;swap(text)});
}).catch(function(e){
if(!document.getElementById("live"))return;
since=since||Date.now();
gone.textContent="No news since "+new Date(since).toLocaleTimeString()+": "+(e.message||"no answer")+". Trying again.";
gone.hidden=false;
}).then(function(){busy=false});
}
if(document.body.dataset.live){setInterval(ask,every);document.addEventListener("visibilitychange",ask)}
})();
