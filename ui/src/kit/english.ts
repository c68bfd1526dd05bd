/** Names that exist in Chinese only, in Latin letters for the English screen: known words translated, the rest in pinyin. */
type Speak = (text: string) => string[]
let speak: Speak | null = null
/** Fetches the pinyin table (a chunk of its own, only when English is used). A failure leaves names in Chinese. */
export async function loadPinyin(): Promise<void> {
  if (speak) return
  try {
    const { pinyin } = await import('pinyin-pro')
    speak = (text) => pinyin(text, { toneType: 'none', type: 'array', v: true })
    known.clear()
  } catch {
    // the screen works with Chinese names
  }
}
/** Words of posts, offices, buildings and places; longest first when searched. */
const WORD: Record<string, string> = {
  应急管理局: 'Emergency Management Bureau', 街道办事处: 'Subdistrict Office', 办事处: 'Office', 居委会: "Residents' Committee", 社区: 'Community', 街道: 'Subdistrict', 网格员: 'grid inspector', 网格: 'Grid', 书记: 'secretary', 主任: 'director',
  带班领导: 'duty leader', 地灾技术员: 'geohazard technician', 技术员: 'technician', 值守长: 'duty officer', 值守员: 'duty clerk', 指挥长: 'commander', 督办员: 'supervisor', 研判员: 'analyst', 名录管理员: 'registrar', 系统管理员: 'administrator', 安全员: 'safety officer', 巡查员: 'inspector',
  综合救援队: 'rescue team', 医疗救护队: 'medical team', 抗洪抢险队: 'flood team', 地灾应急队: 'geohazard team', 救援队: 'rescue team', 抢险队: 'emergency team', 应急队: 'response team', 避灾点: 'shelter', 安置点: 'shelter', 物资库: 'depot', 大喇叭: 'loudspeaker', 声光警报器: 'siren', 警报器: 'siren',
  示例户: 'Example household', 示例: 'Example', 试验: 'Trial', 管理处: 'management office', 工棚: 'work sheds', 商铺: 'shops', 东段: 'east section', 西段: 'west section', 北片: 'north block', 南片: 'south block', 村口: 'village gate', 散户: 'scattered homes', 下穿通道: 'underpass', 通道: 'passage', 小区: 'estate', 大厦: 'Tower', 花园: 'Garden', 公园: 'Park', 体育馆: 'Gymnasium', 学校: 'school', 医院: 'hospital', 工业区: 'industrial park',
  边坡: 'slope', 水库: 'reservoir', 易涝点: 'low point', 雨量点: 'rain site', 企业: 'enterprise', 高层: 'high-rise', 裂缝计: 'crack gauge', 倾角仪: 'tiltmeter', 雨量计: 'rain gauge', 水位计: 'level gauge', 水深计: 'depth gauge', 渗压计: 'piezometer', 烟感: 'smoke detector', 气体探测器: 'gas detector', 园区: 'Park', 区带班领导: 'District duty leader', 现场: 'on site', 甲: 'A', 乙: 'B', 独居老人: 'elderly, lives alone', 行动不便: 'cannot walk unaided', 轮椅: 'wheelchair', 孕妇: 'pregnant',
  罗湖区: 'Luohu District', 区: 'District', 路: 'Rd', 街: 'St', 村: 'Village', 户: 'home', 岗: 'post', 楼: 'Building',
}
const KEYS = Object.keys(WORD).sort((a, b) => b.length - a.length)
const SURE = KEYS.filter((k) => k.length > 1)
const DIGIT = '零一二三四五六七八九十'
const HAN = /[\u4e00-\u9fff]/
const RUN = /[\u4e00-\u9fff]+/g
const known = new Map<string, string>()

const sound = (han: string): string => {
  if (!speak) return han
  const word = speak(han).join('')
  return word.charAt(0).toUpperCase() + word.slice(1)
}
function run(han: string): string {
  const out: string[] = []
  let rest = ''
  const flush = (): void => { if (rest) out.push(sound(rest)); rest = '' }
  for (let i = 0; i < han.length; ) {
    const key = KEYS.find((k) => han.startsWith(k, i) && (k.length > 1 || i > 0 || SURE.some((s) => han.startsWith(s, 1))))
    if (!key) { rest += han[i++]; continue }
    flush()
    out.push(WORD[key]!)
    i += key.length
  }
  flush()
  return out.join(' ')
}
function name(text: string): string {
  const numbered = text
    .replace(/([零一二三四五六七八九十])(网格员?|栋|单元|号楼)/g, (_, d: string, what: string) => `${DIGIT.indexOf(d)}${what}`)
    .replace(/(\d+)\s*网格员/g, ' grid $1 inspector ').replace(/(\d+)\s*网格/g, ' Grid $1 ')
    .replace(/(\d+(?:[–-]\d+)?)\s*(?:栋|号楼)/g, ' Block $1 ').replace(/(\d+)\s*单元/g, ' Unit $1 ').replace(/示例(\d+)号/g, 'Example $1').replace(/(\d+(?:[–-]\d+)?)\s*号/g, ' No. $1 ')
  const said = numbered.replace(RUN, (h) => ` ${run(h)} `).replaceAll('、', ', ').replaceAll('（', ' (').replaceAll('）', ') ').replace(/\s+/g, ' ').replace(/ ([,.;:)])/g, '$1').replaceAll('( ', '(').trim()
  return said.charAt(0).toUpperCase() + said.slice(1)
}
/** A name without Chinese characters (as far as the table knows them). */
export function latinName(text: string): string {
  if (!HAN.test(text)) return text
  let said = known.get(text)
  if (said === undefined) known.set(text, (said = name(text)))
  return said
}
/** An English sentence with a Chinese name inside: the name is put in Latin letters, what people wrote in Chinese stays as written. */
export function latinWithin(text: string): string {
  if (!HAN.test(text)) return text
  return text.replace(/[\u4e00-\u9fff](?:[\u4e00-\u9fff0-9 、（）–-]*[\u4e00-\u9fff）])?/g, (part) => (part.length <= 40 && SURE.some((k) => part.includes(k)) && !/[，。；！？]/.test(part) ? latinName(part) : part))
}
