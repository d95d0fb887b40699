/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorts tables, filters and sorts findings, enlarges drawings. Whatever works only with a script is
   made by it, so that without one nothing is there that does nothing. */
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

	function enlarge(figure) {
		var button = make("button", "Enlarge");
		button.type = "button";
		button.className = "zoom";
		button.setAttribute("aria-pressed", "false");
		button.addEventListener("click", function () {
			var large = figure.classList.toggle("large");
			button.textContent = large ? "Reduce" : "Enlarge";
			button.setAttribute("aria-pressed", String(large));
		});
		figure.appendChild(button);
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
	document.querySelectorAll("figure").forEach(enlarge);
	document.querySelectorAll("#groups").forEach(findings);
	window.addEventListener("hashchange", reveal);
	window.addEventListener("beforeprint", function () {
		document.querySelectorAll("details").forEach(function (d) { d.open = true; });
	});
	reveal();
})();
