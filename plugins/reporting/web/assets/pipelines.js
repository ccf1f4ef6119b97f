// The page of pipelines: gets the list from the server, and shows the actions that the user may take. Text is never set as HTML.
"use strict";
(() => {
  const REFRESH_SECONDS = 30;
  const TONES = { success: "good", failed: "bad", upstream_failed: "bad", running: "warning", queued: "warning", up_for_retry: "warning" };
  const table = document.getElementById("pipelines");
  const body = table.tBodies[0];
  const search = document.getElementById("search");
  const said = document.getElementById("said");
  const empty = document.getElementById("empty");
  let shown = null;

  const make = (name, text, ...classes) => {
    const element = document.createElement(name);
    if (text !== undefined && text !== null) element.textContent = text;
    element.classList.add(...classes);
    return element;
  };
  const say = (text, isBad = false) => {
    said.textContent = text;
    said.classList.toggle("bad", isBad);
    said.hidden = text === "";
  };
  const time = (text) => (text ? new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "–");
  const ago = (text) => {
    if (!text) return "never";
    const minutes = Math.max(0, Math.floor((Date.now() - new Date(text)) / 60000));
    if (minutes < 120) return `${minutes} min ago`;
    return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} hours ago` : `${Math.floor(minutes / 1440)} days ago`;
  };
  // Airflow's own pages are two levels up. A page within Airflow's frame may not navigate Airflow, but Airflow's document may.
  const link = (text, path) => {
    const anchor = make("a", text);
    anchor.href = `../../${path}`;
    anchor.addEventListener("click", (event) => {
      if (window.parent === window) return;
      event.preventDefault();
      const outer = window.parent.document.createElement("a");
      outer.href = anchor.href;
      outer.click();
    });
    return anchor;
  };
  const send = async (path, content) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "same-origin",
      body: JSON.stringify(content),
    });
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      throw new Error(typeof told.detail === "string" ? told.detail : `The server answered ${answer.status}.`);
    }
  };
  const button = (text, act, done) => {
    const made = make("button", text, "more");
    made.type = "button";
    made.addEventListener("click", async () => {
      made.disabled = true;
      try {
        await act();
        say(done());
        await load();
      } catch (error) {
        say(error.message, true);
      } finally {
        made.disabled = false;
      }
    });
    return made;
  };
  const tomorrow = () => {
    const day = new Date(Date.now() + 86400000);
    return `${day.getFullYear()}-${String(day.getMonth() + 1).padStart(2, "0")}-${String(day.getDate()).padStart(2, "0")}`;
  };

  const lastRun = (dag) => {
    const cell = make("td");
    if (!dag.run_id) {
      cell.append(make("span", "never run", "muted"));
      return cell;
    }
    cell.append(make("span", dag.state, "chip", ...(TONES[dag.state] ? [TONES[dag.state]] : [])), make("span", time(dag.ended_at ?? dag.started_at), "sub"));
    const steps = make("span", null, "steps");
    for (const [task, state] of dag.tasks) {
      steps.append(link(`${task}: ${state ?? "waiting"}`, `dags/${dag.dag_id}/runs/${encodeURIComponent(dag.run_id)}/tasks/${task}`));
    }
    cell.append(steps);
    return cell;
  };
  const nextRun = (dag) => {
    const cell = make("td");
    if (!dag.is_paused) {
      cell.append(make("span", time(dag.next_run_at), "sub"));
      return cell;
    }
    cell.append(make("span", "paused", "chip", "warning"));
    if (dag.paused_until) cell.append(make("span", `until ${dag.paused_until}`, "sub"));
    return cell;
  };
  // On a phone a row is shown as a list, in which each entry needs a label.
  const named = (name, cell) => {
    cell.dataset.name = name;
    return cell;
  };
  const runAndPause = (dag) => {
    const made = [];
    // Not offered for a paused DAG, whose run would wait until the DAG is resumed.
    if (dag.may_run && !dag.is_paused) {
      made.push(button("Run now", () => send(`../../api/v2/dags/${dag.dag_id}/dagRuns`, { logical_date: null }), () => `${dag.dag_id} was started.`));
    }
    if (dag.may_change && dag.is_paused) {
      made.push(button("Resume", () => send("pause", { dag_id: dag.dag_id, is_paused: false }), () => `${dag.dag_id} runs again.`));
    } else if (dag.may_change) {
      const until = make("input");
      until.type = "date";
      until.min = tomorrow();
      until.setAttribute("aria-label", `Pause ${dag.dag_id} until`);
      made.push(
        button(
          "Pause until",
          () => send("pause", { dag_id: dag.dag_id, is_paused: true, until: until.value || null }),
          () => `${dag.dag_id} is paused${until.value ? ` until ${until.value}` : " until it is resumed"}.`,
        ),
        until,
      );
    }
    return made;
  };
  const download = (pipeline) => {
    const there = pipeline.tables.filter((each) => each.row_count !== null);
    if (!pipeline.may_take || there.length === 0) return [];
    const pick = make("select");
    pick.setAttribute("aria-label", "Table to download");
    for (const each of there) {
      const option = make("option", each.name);
      option.value = each.name;
      pick.append(option);
    }
    pick.hidden = there.length === 1;
    const take = (text, rest) => {
      const made = make("button", text, "more");
      made.type = "button";
      made.addEventListener("click", () => {
        const anchor = make("a");
        anchor.href = `rows/${pick.value}.csv${rest}`;
        anchor.download = "";
        anchor.click();
      });
      return made;
    };
    return [pick, take(`First ${shown.sample_rows} rows`, ""), take("All rows", "?all")];
  };

  const show = () => {
    const words = search.value.trim().toLowerCase();
    body.replaceChildren();
    for (const pipeline of shown.pipelines) {
      if (!`${pipeline.name} ${pipeline.dags.map((dag) => dag.description).join(" ")}`.toLowerCase().includes(words)) continue;
      pipeline.dags.forEach((dag, place) => {
        const row = make("tr");
        const title = make("th", place === 0 ? pipeline.name : null);
        title.scope = "row";
        const name = make("span", null, "dag");
        name.append(link(dag.dag_id, `dags/${dag.dag_id}`));
        title.append(name);
        if (dag.description) title.append(make("span", dag.description, "dag"));
        row.append(title, named("Last run", lastRun(dag)), named("Next run", nextRun(dag)));
        const rows = make("td", null, "right");
        const actions = make("div", null, "actions");
        actions.append(...runAndPause(dag));
        if (place === 0) {
          row.classList.add("first");
          for (const each of pipeline.tables) {
            const count = each.row_count === null ? "–" : each.row_count.toLocaleString();
            rows.append(make("span", pipeline.tables.length > 1 ? `${each.name} ${count}` : count, ...(pipeline.tables.length > 1 ? ["sub"] : [])));
          }
          actions.append(...download(pipeline));
        }
        const fresh = make("td");
        if (place === 0 && pipeline.tables.length) fresh.append(make("span", ago(pipeline.fresh_at), "sub"));
        const cell = make("td");
        cell.append(actions);
        row.append(named("Rows", rows), named("Fresh", fresh), cell);
        body.append(row);
      });
    }
    table.hidden = body.rows.length === 0;
    empty.hidden = body.rows.length > 0;
    empty.textContent = shown.pipelines.length ? "No pipeline matches the search." : "There is no pipeline that you may see.";
  };
  const load = async () => {
    const answer = await fetch("list", { credentials: "same-origin", headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(answer.status === 401 ? "Sign in to Airflow first." : `The server answered ${answer.status}.`);
    shown = await answer.json();
    document.getElementById("as-of").textContent = `As of ${time(new Date().toISOString())}`;
    show();
    if (!shown.is_warehouse_known) say("The warehouse cannot be queried at the moment, so rows and freshness are missing. script/doctor says why.", true);
  };

  search.addEventListener("input", () => shown && show());
  const reload = () => load().catch((error) => say(error.message, true));
  reload();
  setInterval(() => {
    // The list is not redrawn while the user is choosing a day.
    if (!document.hidden && !body.contains(document.activeElement)) reload();
  }, REFRESH_SECONDS * 1000);
})();
