// npm dcql 3: does an answer satisfy its query? Input: [{ query, presentation }]. Output: true, false or the error.
import { DcqlPresentationResult, DcqlQuery } from 'dcql'
import { answer, readInput } from './callbacks.mjs'

const cases = await readInput()
answer(
  cases.map(({ query, presentation }) => {
    try {
      const parsed = DcqlQuery.parse(query)
      DcqlQuery.validate(parsed)
      return DcqlPresentationResult.fromDcqlPresentation(presentation, { dcqlQuery: parsed }).can_be_satisfied
    } catch (error) {
      return String(error.message).slice(0, 300)
    }
  }),
)
