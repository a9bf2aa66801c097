// How the window looks. A constructed style sheet needs no leave of the page's
// content security policy.
const css = `
:host{--bg:#fff;--soft:#f4f5f7;--ink:#16181d;--muted:#5b6270;--line:#e3e6eb;--theirs:#eef0f4;--danger:#b3112a;--accent:var(--brand);--shade:0 12px 48px #10182838,0 2px 8px #1018281f}
:host([data-theme=dark]){--bg:#1b1d22;--soft:#24272d;--ink:#f1f2f4;--muted:#a9b0bd;--line:#353941;--theirs:#2c3037;--danger:#ff8f9e;--shade:0 12px 48px #000a,0 2px 8px #0008}
*,*::before,*::after{box-sizing:border-box}
.window{position:absolute;right:0;bottom:76px;width:min(384px,calc(100vw - 40px));height:min(640px,calc(100vh - 120px));display:flex;flex-direction:column;
overflow:hidden;border-radius:18px;background:var(--bg);color:var(--ink);box-shadow:var(--shade);font-size:15px;line-height:1.5;word-break:keep-all;overflow-wrap:anywhere;
animation:rise .18s ease-out}
:host(:lang(ja)) .window,:host([lang=ja]) .window{word-break:normal}
@keyframes rise{from{opacity:0;transform:translateY(10px)}}
button,textarea,a{font:inherit;color:inherit}
button{cursor:pointer}
button:focus-visible,a:focus-visible,textarea:focus-visible,[tabindex]:focus-visible,input:focus-visible+label{outline:2px solid var(--accent);outline-offset:2px}
.head{display:flex;align-items:center;gap:4px;padding:14px 10px 14px 20px;background:var(--brand);color:var(--on-brand);flex:none}
.head div{flex:1;min-width:0}
.head h2{margin:0;font-size:17px;line-height:1.3;font-weight:700;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.head p{margin:2px 0 0;font-size:13px;line-height:1.3;display:flex;align-items:center;gap:6px}
.dot{width:8px;height:8px;border-radius:50%;flex:none;border:1.5px solid currentColor}
.dot.on{background:currentColor}
.icon{all:unset;box-sizing:border-box;display:grid;place-items:center;width:40px;height:40px;border-radius:10px;cursor:pointer;flex:none}
.icon svg{width:22px;height:22px;fill:none;stroke:currentColor;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.icon[aria-haspopup] svg{stroke-width:3.2}
.icon:hover{background:#8883}
.icon:focus-visible{outline:2px solid currentColor;outline-offset:-2px}
.icon:disabled{opacity:.4;cursor:default;background:none}
.menu{position:absolute;top:58px;right:12px;z-index:3;min-width:190px;padding:6px;border:1px solid var(--line);border-radius:12px;background:var(--bg);box-shadow:var(--shade)}
.menu button{all:unset;box-sizing:border-box;display:block;width:100%;padding:10px 12px;border-radius:8px;cursor:pointer;font-size:14px}
.menu button:hover,.menu button:focus-visible{background:var(--soft)}
.menu button:focus-visible{outline:2px solid var(--accent)}
.menu .end{color:var(--danger)}
.notice{flex:none;display:flex;gap:10px;align-items:flex-start;padding:10px 10px 10px 20px;background:var(--soft);border-bottom:1px solid var(--line);font-size:13.5px}
.notice p{margin:0;flex:1;padding:4px 0}
.notice a{color:var(--accent);font-weight:600}
.notice .icon{width:28px;height:28px}
.notice .icon svg{width:16px;height:16px}
.log{flex:1;overflow-y:auto;overscroll-behavior:contain;padding:16px 16px 8px;display:flex;flex-direction:column;gap:2px;scrollbar-width:thin}
.intro{color:var(--muted);font-size:14px;text-align:center;padding:4px 12px 12px;white-space:pre-wrap}
.day{align-self:center;margin:14px 0 8px;padding:2px 12px;border-radius:10px;background:var(--soft);color:var(--muted);font-size:12px}
.m{position:relative;display:flex;flex-direction:column;max-width:84%;align-self:flex-start;align-items:flex-start}
.m.mine{align-self:flex-end;align-items:flex-end}
.m.first{margin-top:10px}
.who{font-size:12.5px;color:var(--muted);margin:0 0 3px 4px}
.m:not(.first) .who{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
.m.mine .who{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
.bubble{padding:8px 13px;border-radius:16px;background:var(--theirs);white-space:pre-wrap;min-width:0;max-width:100%}
.m.first .bubble{border-top-left-radius:5px}
.mine .bubble{background:var(--brand);color:var(--on-brand)}
.m.mine.first .bubble{border-top-left-radius:16px;border-top-right-radius:5px}
.bubble a{text-decoration:underline;text-underline-offset:2px}
.bubble.gone{background:none;border:1px dashed var(--line);color:var(--muted);font-style:italic}
.meta{display:flex;gap:6px;align-items:center;font-size:11.5px;color:var(--muted);margin:2px 4px 0;min-height:17px}
.meta.off{display:none}
.m.pending .bubble{opacity:.65}
.m.failed .bubble{background:none;border:1px solid var(--danger);color:var(--ink)}
.meta .bad{color:var(--danger);font-weight:600}
.meta button{all:unset;cursor:pointer;text-decoration:underline;color:var(--danger);font-weight:600;padding:4px}
.meta button:focus-visible{outline:2px solid var(--danger)}
.file{all:unset;box-sizing:border-box;display:flex;align-items:center;gap:10px;max-width:100%;cursor:pointer;padding:2px 0}
.file svg{width:26px;height:26px;flex:none;fill:none;stroke:currentColor;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
.file span{min-width:0}.file b{display:block;font-weight:600;overflow:hidden;text-overflow:ellipsis}.file small{opacity:.8;font-size:12px}
.file:focus-visible{outline:2px solid currentColor;outline-offset:3px;border-radius:6px}
.picture{all:unset;display:grid;place-items:center;width:220px;height:160px;max-width:100%;border-radius:14px;overflow:hidden;background:var(--soft);cursor:pointer;border:1px solid var(--line);box-sizing:border-box}
.picture:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.picture canvas{max-width:100%;max-height:100%;display:block}
.picture+.bubble{margin-top:4px}
.card{width:240px;max-width:100%;border:1px solid var(--line);border-radius:14px;padding:12px 14px;margin-top:4px;background:var(--bg)}
.card b{display:block}.card p{margin:2px 0 0;color:var(--muted);font-size:14px;white-space:pre-wrap}
.choices{display:flex;flex-wrap:wrap;gap:6px;margin-top:8px}
.card .choices{flex-direction:column}
.choice{all:unset;box-sizing:border-box;padding:7px 14px;min-height:36px;border:1.5px solid var(--accent);border-radius:18px;color:var(--accent);font-weight:600;font-size:14px;cursor:pointer;text-align:center;text-decoration:none}
.choice:hover{background:var(--soft)}
.choice:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.choice:disabled{border-color:var(--line);color:var(--muted);cursor:default;background:none}
.line{align-self:center;color:var(--muted);font-size:13px;margin:12px 0 4px;text-align:center}
.foot{flex:none;position:relative}
.status{min-height:22px;padding:0 20px;font-size:12.5px;color:var(--muted);display:flex;align-items:center;gap:8px}
.dots{display:inline-flex;gap:3px}.dots i{width:5px;height:5px;border-radius:50%;background:currentColor;animation:dots 1.2s infinite}.dots i:nth-child(2){animation-delay:.15s}.dots i:nth-child(3){animation-delay:.3s}
@keyframes dots{0%,60%,100%{opacity:.25}30%{opacity:1}}
.news{all:unset;box-sizing:border-box;position:absolute;left:50%;top:-34px;transform:translateX(-50%);padding:5px 14px;border-radius:15px;background:var(--ink);color:var(--bg);font-size:13px;font-weight:600;cursor:pointer;box-shadow:0 2px 8px #0004;white-space:nowrap}
.news:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.compose{display:flex;align-items:flex-end;gap:2px;padding:6px 8px 10px;border-top:1px solid var(--line)}
.compose textarea{flex:1;min-width:0;resize:none;border:0;background:none;padding:9px 4px;max-height:132px;height:40px;line-height:22px;font-size:15px;color:var(--ink);outline-offset:-2px;border-radius:8px}
.compose textarea:focus-visible{outline:none}
.compose:focus-within{border-top-color:var(--accent);box-shadow:inset 0 1px var(--accent)}
.compose textarea::placeholder{color:var(--muted);opacity:1}
.compose .icon{color:var(--muted)}
.compose .send{color:var(--accent)}
.compose .send:disabled{color:var(--muted)}
.alert{margin:0;padding:8px 20px;font-size:13px;color:var(--danger)}
.center{flex:1;overflow-y:auto;display:flex;flex-direction:column;gap:14px;padding:28px 24px;text-align:center;justify-content:center}
.center h3{margin:0;font-size:18px;line-height:1.35}
.center p{margin:0;color:var(--muted)}
.center .big{align-self:center;width:60px;height:60px;display:grid;place-items:center;border-radius:50%;background:var(--soft);color:var(--accent)}
.center .big svg{width:30px;height:30px;fill:none;stroke:currentColor;stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round}
.text{max-height:260px;overflow-y:auto;white-space:pre-wrap;text-align:start;font-size:14px;padding:14px 16px;border:1px solid var(--line);border-radius:12px;background:var(--soft);color:var(--ink)}
.link{color:var(--accent);text-underline-offset:2px;font-size:14px}
.do{all:unset;box-sizing:border-box;display:block;padding:12px 18px;border-radius:12px;background:var(--brand);color:var(--on-brand);font-weight:700;text-align:center;cursor:pointer;text-decoration:none}
.do:hover{filter:brightness(1.07)}
.do:focus-visible{outline:2px solid var(--accent);outline-offset:3px}
.do:disabled{opacity:.5;cursor:default}
.do.quiet{background:none;border:1.5px solid var(--line);color:var(--ink)}
.after{flex:none;border-top:1px solid var(--line);padding:16px 20px 18px;display:flex;flex-direction:column;gap:10px}
.after h3{margin:0;font-size:15px;text-align:center}
.stars{border:0;margin:0;padding:0;display:flex;justify-content:center;gap:2px}
.stars input{position:absolute;opacity:0;pointer-events:none}
.stars label{display:grid;place-items:center;width:44px;height:44px;cursor:pointer;color:var(--muted);border-radius:10px}
.stars svg{width:30px;height:30px;fill:none;stroke:currentColor;stroke-width:1.5;stroke-linejoin:round}
.stars label.on{color:var(--accent)}.stars label.on svg{fill:currentColor}
.after textarea{width:100%;min-height:64px;resize:none;padding:10px 12px;border:1px solid var(--line);border-radius:10px;background:var(--bg);color:var(--ink);font-size:14px}
.row{display:flex;gap:8px}.row>*{flex:1}
.bones{flex:1;padding:20px;display:flex;flex-direction:column;gap:12px}
.bones i{height:38px;width:62%;border-radius:14px;background:var(--soft);animation:beat 1.2s ease-in-out infinite}.bones i:nth-child(2){width:44%;align-self:flex-end}.bones i:nth-child(3){width:70%}
.drop{position:absolute;inset:8px;z-index:2;display:grid;place-items:center;border:2px dashed var(--accent);border-radius:14px;background:var(--bg);font-weight:700;opacity:.95}
@media (max-width:480px),(max-height:480px){
.window{position:fixed;inset:0;width:auto;height:100dvh;border-radius:0;padding-bottom:env(safe-area-inset-bottom);padding-top:env(safe-area-inset-top);background:var(--brand)}
.window>*:not(.head):not(.menu):not(.drop){background-color:var(--bg)}.window>.notice{background-color:var(--soft)}
.compose textarea,.after textarea{font-size:16px}
:host([data-open]) .launcher{display:none}
}
@media (max-height:340px){.head{padding:2px 6px 2px 14px}.head p,.status:empty{display:none}.log{padding:6px 12px}.compose{padding:2px 6px}.center{justify-content:start;padding:12px 16px}.big{display:none!important}}
@media (prefers-reduced-motion:reduce){.window,.dots i,.bones i{animation:none}}
@media (forced-colors:active){.bubble,.window,.do,.launcher{border:1px solid}}
`;

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

// dress puts the style on a shadow tree.
export function dress(root) {
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}
