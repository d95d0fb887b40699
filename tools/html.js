/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorts tables, filters and sorts findings, enlarges drawings and zooms into them. Whatever works only
   with a script is made by it, so that without one nothing is there that does nothing. */
"use strict";
(function () {
	function make(name, text) {
		var e = document.createElement(name);
		if (text)
			e.textContent = text;
		return e;
	}

	function key(cell) {
		var text = cell ? cell.textContent.trim() : "";
		var number = parseFloat(text.replace(/,/g, ""));
		return cell && cell.classList.contains("number") && !isNaN(number) ? number : text;
	}

	function compare(a, b) {
		if (typeof a === typeof b)
			return a < b ? -1 : a > b ? 1 : 0;
		return typeof a === "number" ? -1 : 1;
	}

	function sortable(table) {
		if (table.tBodies[0].rows.length < 2)
			return;
		var heads = table.tHead.rows[0].cells;
		Array.prototype.forEach.call(heads, function (head, column) {
			var button = make("button", head.textContent);
			button.type = "button";
			head.textContent = "";
			head.appendChild(button);
			button.addEventListener("click", function () {
				var down = head.getAttribute("aria-sort") === "ascending";
				var rows = Array.prototype.slice.call(table.tBodies[0].rows);
				rows.sort(function (x, y) {
					var order = compare(key(x.cells[column]), key(y.cells[column]));
					return down ? -order : order;
				});
				rows.forEach(function (row) {
					table.tBodies[0].appendChild(row);
				});
				Array.prototype.forEach.call(heads, function (h) {
					h.removeAttribute("aria-sort");
				});
				head.setAttribute("aria-sort", down ? "descending" : "ascending");
			});
		});
	}

	function select(label, options) {
		var around = make("label", label + " ");
		var list = make("select");
		options.forEach(function (o) {
			var option = make("option", o[1]);
			option.value = o[0];
			list.appendChild(option);
		});
		around.appendChild(list);
		return around;
	}

	function findings(box) {
		var groups = Array.prototype.slice.call(box.children);
		if (groups.length < 2)
			return;
		var tools = make("div"), said = make("span");
		var words = make("label", "Filter "), input = make("input");
		var least = select("Verdict", [["1", "all"], ["2", "anomaly and above"],
			["3", "likely and above"], ["4", "confirmed"]]);
		var order = select("Order", [["", "strongest first"], ["n", "most connections first"],
			["time", "earliest first"]]);
		var all = make("button", "Open all");
		tools.className = "tools";
		tools.setAttribute("role", "search");
		input.type = "search";
		input.placeholder = "name, address, kind";
		said.setAttribute("role", "status");
		words.appendChild(input);
		all.type = "button";
		[words, least, order, all, said].forEach(function (e) { tools.appendChild(e); });
		box.parentNode.insertBefore(tools, box);

		function filter() {
			var want = input.value.toLowerCase(), n = 0;
			groups.forEach(function (g) {
				var text = g.querySelector("summary").textContent.toLowerCase();
				var shown = text.indexOf(want) >= 0 &&
					+g.dataset.verdict >= +least.lastChild.value;
				g.hidden = !shown;
				n += shown;
			});
			said.textContent = n + " of " + groups.length + " groups";
		}

		input.addEventListener("input", filter);
		least.addEventListener("change", filter);
		order.addEventListener("change", function () {
			var by = order.lastChild.value;
			groups.map(function (g, i) {
				return [by === "n" ? -g.dataset.n : by === "time" ? +g.dataset.time : i, i, g];
			}).sort(function (a, b) {
				return a[0] - b[0] || a[1] - b[1];
			}).forEach(function (x) {
				box.appendChild(x[2]);
			});
		});
		all.addEventListener("click", function () {
			var open = all.textContent === "Open all";
			groups.forEach(function (g) { g.open = open; });
			all.textContent = open ? "Close all" : "Open all";
		});
		filter();
	}

	function press(bar, text, label, act) {
		var button = make("button", text);
		button.type = "button";
		button.className = "zoom";
		if (label)
			button.setAttribute("aria-label", label);
		button.addEventListener("click", function () { act(button); });
		bar.appendChild(button);
		return button;
	}

	function enlarge(figure, bar) {
		press(bar, "Enlarge", "", function (button) {
			var large = figure.classList.toggle("large");
			button.textContent = large ? "Reduce" : "Enlarge";
			button.setAttribute("aria-pressed", String(large));
		}).setAttribute("aria-pressed", "false");
	}

	/* Shows a part of the drawing: the buttons about its middle, a double click about the pointer; a
	   part is dragged about. */
	function zoom(svg, bar) {
		var box = svg.viewBox.baseVal;
		var full = [box.x, box.y, box.width, box.height], view = full.slice(), held = null;

		function show() {
			for (var i = 0; i < 2; i++)
				view[i] = Math.min(Math.max(view[i], full[i]), full[i] + full[i + 2] - view[i + 2]);
			svg.setAttribute("viewBox", view.join(" "));
			svg.classList.toggle("part", view[2] < full[2]);
			out.disabled = whole.disabled = view[2] >= full[2];
		}

		/* x and y: shares of what is shown, which stay where they are. */
		function by(factor, x, y) {
			var share = Math.min(1, Math.max(1 / 64, view[2] * factor / full[2]));
			view[0] += (view[2] - full[2] * share) * x;
			view[1] += (view[3] - full[3] * share) * y;
			view[2] = full[2] * share;
			view[3] = full[3] * share;
			show();
		}

		press(bar, "+", "Zoom in", function () { by(1 / 2, 1 / 2, 1 / 2); });
		var out = press(bar, "\u2212", "Zoom out", function () { by(2, 1 / 2, 1 / 2); });
		var whole = press(bar, "Whole", "Show the whole drawing", function () {
			view = full.slice();
			show();
		});
		svg.addEventListener("dblclick", function (e) {
			var at = svg.getBoundingClientRect();
			by(1 / 2, (e.clientX - at.left) / at.width, (e.clientY - at.top) / at.height);
		});
		svg.addEventListener("pointerdown", function (e) {
			if (view[2] >= full[2] || e.button !== 0)
				return;
			held = [e.clientX, e.clientY, view[0], view[1]];
			svg.setPointerCapture(e.pointerId);
			e.preventDefault();
		});
		svg.addEventListener("pointermove", function (e) {
			if (!held)
				return;
			var at = svg.getBoundingClientRect();
			view[0] = held[2] - (e.clientX - held[0]) * view[2] / at.width;
			view[1] = held[3] - (e.clientY - held[1]) * view[3] / at.height;
			show();
		});
		["pointerup", "pointercancel"].forEach(function (name) {
			svg.addEventListener(name, function () { held = null; });
		});
		window.addEventListener("beforeprint", function () { whole.click(); });
		show();
	}

	function drawing(figure) {
		var bar = make("div"), svg = figure.querySelector("svg");
		if (!svg)
			return;
		bar.className = "zooms";
		enlarge(figure, bar);
		zoom(svg, bar);
		figure.appendChild(bar);
	}

	/* The part of a page that an address names may lie within something closed. */
	function reveal() {
		var at = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
		for (var e = at; e; e = e.parentElement) {
			if (e.tagName === "DETAILS")
				e.open = true;
		}
		if (at)
			at.scrollIntoView();
	}

	document.querySelectorAll("table").forEach(sortable);
	document.querySelectorAll("figure").forEach(drawing);
	document.querySelectorAll("#groups").forEach(findings);
	window.addEventListener("hashchange", reveal);
	window.addEventListener("beforeprint", function () {
		document.querySelectorAll("details").forEach(function (d) { d.open = true; });
	});
	reveal();
})();
