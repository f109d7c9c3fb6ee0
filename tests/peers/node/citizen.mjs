// What people do while a wallet works: the citizen at the authorization page, the agency at its desk.

/** Identify oneself at the page; where it sends the browser then. */
export async function atThePage(url, { code, birthDate }) {
  const opened = await fetch(url)
  const cookie = opened.headers.getSetCookie().map((set) => set.split(';')[0]).join('; ')
  const page = await opened.text()
  const hidden = [...page.matchAll(/<input type="hidden" name="([a-z_]+)" value="([^"]*)">/g)].map(([, name, value]) => [name, value])
  const [, action] = /<form method="post" action="([^"]+)"/.exec(page)
  const typed = [['answer', 'identify'], ['code', code], ['birth_date', birthDate]]
  const back = await fetch(new URL(action, url), {
    method: 'POST',
    headers: { Cookie: cookie },
    body: new URLSearchParams([...hidden, ...typed]),
    redirect: 'manual',
  })
  return back.headers.get('location')
}

/** The agency lets a waiting credential be issued. */
export async function decided({ url, key }) {
  const body = JSON.stringify({ decision: 'issue' })
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', headers, body })
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
}
